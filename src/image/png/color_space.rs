//! The color space that a PNG file declares.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, TransferCharacteristics, XyY, curve_from_gamma,
};

use crate::image::color;

/// Returns the color space: that of `cICP`, else `iCCP`, else `sRGB`, else of `gAMA` and `cHRM`. Chunks with
/// invalid values count as missing.
pub(super) fn profile(info: &png::Info<'_>) -> Option<ColorProfile> {
    let cicp = info.coding_independent_code_points.and_then(|cicp| {
        let primaries = CicpColorPrimaries::try_from(cicp.color_primaries).ok()?;
        let transfer = TransferCharacteristics::try_from(cicp.transfer_function).ok()?;
        Some((primaries, transfer))
    });
    if let Some((_, TransferCharacteristics::Smpte2084 | TransferCharacteristics::Hlg)) = cicp {
        // HDR exceeds sRGB: its values are kept, as for HEIF.
        return None;
    }
    let cicp = cicp.map(|(color_primaries, transfer_characteristics)| {
        ColorProfile::new_from_cicp(CicpProfile {
            color_primaries,
            transfer_characteristics,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        })
    });
    if let Some(profile) = cicp.filter(|profile| profile.red_trc.is_some()) {
        return Some(profile);
    }
    if let Some(profile) = info.icc_profile.as_deref().and_then(color::parse_profile) {
        return Some(profile);
    }
    if info.srgb.is_some() {
        return None;
    }
    let gamma = info.gama_chunk.map(|gamma| gamma.into_value());
    let gamma = gamma.filter(|gamma| (0.01..=10.0).contains(gamma) && !is_srgb(*gamma));
    let chromaticities = info.chrm_chunk.and_then(chromaticities);
    if gamma.is_none() && chromaticities.is_none() {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    if let Some(gamma) = gamma {
        let curve = curve_from_gamma(1.0 / gamma);
        // The code points would take precedence over the curves.
        profile.cicp = None;
        profile.red_trc = Some(curve.clone());
        profile.green_trc = Some(curve.clone());
        profile.blue_trc = Some(curve);
    }
    if let Some((white, primaries)) = chromaticities {
        profile.update_rgb_colorimetry(white, primaries);
    }
    Some(profile)
}

/// Returns the white point and the primaries of a `cHRM` chunk; `None` if they are not colors.
fn chromaticities(chunk: png::SourceChromaticities) -> Option<(XyY, ColorPrimaries)> {
    let point = |(x, y): (png::ScaledFloat, png::ScaledFloat)| {
        let (x, y) = (x.into_value(), y.into_value());
        (x >= 0.0 && y > 0.0 && x + y <= 1.0).then_some(Chromaticity { x, y })
    };
    let white = point(chunk.white)?.to_xyyb();
    let (red, green, blue) = (point(chunk.red)?, point(chunk.green)?, point(chunk.blue)?);
    Some((white, ColorPrimaries { red, green, blue }))
}

/// Returns whether a `gAMA` value stands for sRGB: 1/2.2, which writers of sRGB files use.
fn is_srgb(gamma: f32) -> bool {
    (gamma - 1.0 / 2.2).abs() < 0.005
}
