//! From a file's own colours to sRGB.

use image::{ColorType, DynamicImage, RgbImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Converts to RGB or RGBA with eight bits, by the profile if there is a usable one.
///
/// A broken profile, or one for other colours than the picture's, counts for nothing: the colours
/// are then taken for sRGB, as browsers do.
pub(super) fn to_srgb(picture: DynamicImage, profile: Option<&[u8]>) -> DynamicImage {
    let profile = profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok());
    match profile {
        Some(profile) if profile.color_space == DataColorSpace::Gray => gray(picture, &profile),
        Some(profile) if profile.color_space == DataColorSpace::Rgb => rgb(picture, &profile),
        _ => eight_bits(picture),
    }
}

/// Converts inks to RGB: 255 is no ink, as JPEG files of this kind have it.
pub(super) fn cmyk_to_srgb(inks: &[u8], profile: Option<&[u8]>) -> Vec<u8> {
    let profile = profile
        .and_then(|bytes| ColorProfile::new_from_slice(bytes).ok())
        .filter(|profile| profile.color_space == DataColorSpace::Cmyk);
    if let Some(profile) = profile {
        let mut rgb = vec![0; inks.len() / 4 * 3];
        if convert(&profile, (Layout::Rgba, inks), (Layout::Rgb, &mut rgb)) {
            return rgb;
        }
    }
    inks.chunks_exact(4)
        .flat_map(|ink| {
            let paper = |of: u8| (u16::from(255 - of) * u16::from(255 - ink[3]) / 255) as u8;
            [paper(ink[0]), paper(ink[1]), paper(ink[2])]
        })
        .collect()
}

fn eight_bits(picture: DynamicImage) -> DynamicImage {
    if picture.color().has_alpha() {
        picture.into_rgba8().into()
    } else {
        picture.into_rgb8().into()
    }
}

fn rgb(picture: DynamicImage, profile: &ColorProfile) -> DynamicImage {
    let mut picture = eight_bits(picture);
    let layout = if picture.color() == ColorType::Rgba8 { Layout::Rgba } else { Layout::Rgb };
    let row = picture.width() as usize * usize::from(picture.color().bytes_per_pixel());
    let Ok(transform) = profile.create_transform_8bit(
        layout,
        &ColorProfile::new_srgb(),
        layout,
        TransformOptions::default(),
    ) else {
        return picture;
    };
    let pixels: &mut [u8] = match &mut picture {
        DynamicImage::ImageRgb8(pixels) => pixels,
        DynamicImage::ImageRgba8(pixels) => pixels,
        _ => return picture,
    };
    // Row by row, for a second copy of the whole is not needed.
    let mut own = vec![0; row];
    for row in pixels.chunks_exact_mut(row) {
        own.copy_from_slice(row);
        if transform.transform(&own, row).is_err() {
            row.copy_from_slice(&own);
        }
    }
    picture
}

fn gray(picture: DynamicImage, profile: &ColorProfile) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let converted = match picture.color() {
        ColorType::L8 | ColorType::L16 => {
            let mut rgb = RgbImage::new(width, height);
            let luma = picture.to_luma8();
            convert(profile, (Layout::Gray, &luma), (Layout::Rgb, &mut rgb)).then_some(rgb.into())
        }
        ColorType::La8 | ColorType::La16 => {
            let mut rgba = RgbaImage::new(width, height);
            let luma = picture.to_luma_alpha8();
            convert(profile, (Layout::GrayAlpha, &luma), (Layout::Rgba, &mut rgba))
                .then_some(rgba.into())
        }
        _ => None,
    };
    converted.unwrap_or_else(|| eight_bits(picture))
}

fn convert(profile: &ColorProfile, from: (Layout, &[u8]), to: (Layout, &mut [u8])) -> bool {
    let srgb = ColorProfile::new_srgb();
    profile
        .create_transform_8bit(from.0, &srgb, to.0, TransformOptions::default())
        .and_then(|transform| transform.transform(from.1, to.1))
        .is_ok()
}
