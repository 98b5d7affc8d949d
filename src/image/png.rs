//! PNG: chunk scanning for EXIF data, and decoding row by row.
//!
//! Decoding ends with the last row, so a missing or truncated `IEND` chunk is no error (promise P18). Text
//! chunks are skipped, and the profile of an `iCCP` chunk is inflated up to a limit only (promise P19).

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::DynamicImage;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, TransferCharacteristics, curve_from_gamma,
};
use png::{BitDepth, ColorType, DecodingError, InterlaceInfo, Limits, Transformations};

use super::{
    color,
    format::{MAX_EXIF, MAX_ICC_PROFILE, RawHeader},
    input::{self, Input},
    limits::ImageLimits,
};
use crate::error::Result;

/// Bounds all that the decoder allocates besides the pixels, in bytes: chunks, the ICC profile, one row.
const MAX_DECODER_MEMORY: usize = 2 * MAX_ICC_PROFILE;

/// Reads the header, and checks the memory limit.
pub(super) fn read_header(mut input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let exif = read_exif(&mut input).unwrap_or_default();
    input.seek(SeekFrom::Start(0)).map_err(|error| input::failed(deadline, error))?;
    let reader = open(input, true).map_err(|error| input::failed(deadline, error))?;
    let (color_type, _) = reader.output_color_type();
    let size = reader.info().size();
    limits.check_size(size.0, size.1)?;
    limits.check_memory(memory(&reader))?;
    let has_alpha = matches!(color_type, ColorType::Rgba | ColorType::GrayscaleAlpha);
    Ok(RawHeader { size, has_alpha, exif })
}

/// Decodes the default image, and converts it to sRGB.
pub(super) fn decode(input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let failed = |error: DecodingError| input::failed(deadline, error);
    let mut reader = open(input, false).map_err(failed)?;
    limits.check_memory(memory(&reader))?;
    let profile = profile(reader.info());
    let (color_type, _) = reader.output_color_type();
    let (width, height) = reader.info().size();
    let pixels = decode_rows(&mut reader).map_err(failed)?;
    let image = color::image_from_bytes((width, height), color_type.samples(), pixels)?;
    color::to_srgb(image, profile.as_ref(), deadline)
}

type Reader = png::Reader<Input>;

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
fn open(input: Input, ignores_profile: bool) -> Result<Reader, DecodingError> {
    let limits = Limits { bytes: MAX_DECODER_MEMORY };
    let mut decoder = png::Decoder::new_with_limits(input, limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(ignores_profile);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info()
}

/// Returns the bytes of memory that decoding takes: the pixels with 8 bits, those of a gray image as RGB as
/// well, and two rows.
fn memory(reader: &Reader) -> u64 {
    let (color_type, _) = reader.output_color_type();
    let (width, height) = reader.info().size();
    let pixels = u64::from(width) * u64::from(height);
    let bytes_per_pixel = match color_type {
        ColorType::Grayscale => 1 + 3,
        ColorType::GrayscaleAlpha => 2 + 4,
        ColorType::Rgb | ColorType::Indexed => 3,
        ColorType::Rgba => 4,
    };
    let rows = 2 * reader.output_line_size(width).unwrap_or(usize::MAX) as u64;
    pixels.saturating_mul(bytes_per_pixel).saturating_add(rows)
}

/// Decodes all rows to 8 bits per sample.
fn decode_rows(reader: &mut Reader) -> Result<Vec<u8>, DecodingError> {
    let (color_type, depth) = reader.output_color_type();
    let (width, height) = reader.info().size();
    let is_full_frame = |frame: &png::FrameControl| (frame.width, frame.height) == (width, height);
    if !reader.info().frame_control.as_ref().is_none_or(is_full_frame) {
        return Err(invalid("the first frame of an animation is smaller than the image").into());
    }
    let samples = color_type.samples();
    let row_bytes = width as usize * samples;
    let mut pixels = vec![0; row_bytes * height as usize];
    let mut row = vec![0; reader.output_line_size(width).ok_or(DecodingError::LimitsExceeded)?];
    for line in 0..row_count(reader.info()) {
        let Some(interlace) = reader.read_row(&mut row)? else { break };
        let row = if depth == BitDepth::Sixteen { narrow(&mut row) } else { &row[..] };
        match interlace {
            InterlaceInfo::Null(_) => {
                let start = line as usize * row_bytes;
                pixels[start..start + row_bytes].copy_from_slice(&row[..row_bytes]);
            }
            InterlaceInfo::Adam7(pass) => {
                let bits = 8 * samples as u8;
                png::expand_interlaced_row(&mut pixels, row_bytes, row, &pass, bits);
            }
        }
    }
    Ok(pixels)
}

/// Rounds the samples of a row from 16 to 8 bits, in place.
fn narrow(row: &mut [u8]) -> &[u8] {
    for at in 0..row.len() / 2 {
        let sample = u32::from(u16::from_be_bytes([row[2 * at], row[2 * at + 1]]));
        row[at] = ((sample * 255 + 32_767) / 65_535) as u8;
    }
    &row[..row.len() / 2]
}

/// Returns the rows of the image, or those of all seven passes of an interlaced image.
fn row_count(info: &png::Info<'_>) -> u64 {
    // The first column and row of each pass, and the distance to the next.
    const PASSES: [(u32, u32, u32); 7] =
        [(0, 0, 8), (4, 0, 8), (0, 4, 8), (2, 0, 4), (0, 2, 4), (1, 0, 2), (0, 1, 2)];
    if !info.interlaced {
        return info.height.into();
    }
    let passes = PASSES.iter().filter(|(column, ..)| *column < info.width);
    passes.map(|(_, row, step)| u64::from(info.height.saturating_sub(*row).div_ceil(*step))).sum()
}

/// Returns the color space: that of `cICP`, else `iCCP`, else `sRGB`, else of `gAMA` and `cHRM`.
fn profile(info: &png::Info<'_>) -> Option<ColorProfile> {
    if let Some(cicp) = info.coding_independent_code_points {
        let primaries = CicpColorPrimaries::try_from(cicp.color_primaries).ok()?;
        let transfer = TransferCharacteristics::try_from(cicp.transfer_function).ok()?;
        if matches!(transfer, TransferCharacteristics::Smpte2084 | TransferCharacteristics::Hlg) {
            // HDR exceeds sRGB: its values are kept, as for HEIF.
            return None;
        }
        let profile = ColorProfile::new_from_cicp(CicpProfile {
            color_primaries: primaries,
            transfer_characteristics: transfer,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: cicp.is_video_full_range_image,
        });
        return profile.red_trc.is_some().then_some(profile);
    }
    if let Some(profile) = info.icc_profile.as_deref().and_then(color::parse_profile) {
        return Some(profile);
    }
    if info.srgb.is_some() {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    let gamma = info.gama_chunk.map(|gamma| gamma.into_value()).filter(|gamma| !is_srgb(*gamma));
    if let Some(gamma) = gamma.filter(|gamma| (0.01..=10.0).contains(gamma)) {
        let curve = curve_from_gamma(1.0 / gamma);
        // The code points would take precedence over the curves.
        profile.cicp = None;
        profile.red_trc = Some(curve.clone());
        profile.green_trc = Some(curve.clone());
        profile.blue_trc = Some(curve);
    } else if info.chrm_chunk.is_none() {
        return None;
    }
    if let Some(chrm) = info.chrm_chunk {
        let point = |(x, y): (png::ScaledFloat, png::ScaledFloat)| {
            let (x, y) = (x.into_value(), y.into_value());
            (x >= 0.0 && y > 0.0 && x + y <= 1.0).then_some(Chromaticity { x, y })
        };
        let white = point(chrm.white)?.to_xyyb();
        let primaries = ColorPrimaries {
            red: point(chrm.red)?,
            green: point(chrm.green)?,
            blue: point(chrm.blue)?,
        };
        profile.update_rgb_colorimetry(white, primaries);
    }
    Some(profile)
}

/// Returns whether a `gAMA` value stands for sRGB: 1/2.2, which writers of sRGB files use.
fn is_srgb(gamma: f32) -> bool {
    (gamma - 1.0 / 2.2).abs() < 0.005
}

/// Reads the data of the first `eXIf` chunk, which may follow the pixels.
fn read_exif(input: &mut Input) -> io::Result<Option<Vec<u8>>> {
    const SIGNATURE_BYTES: i64 = 8;
    const CHECKSUM_BYTES: i64 = 4;
    input.seek_relative(SIGNATURE_BYTES)?;
    loop {
        let mut head = [0; 8];
        input.read_exact(&mut head)?;
        let [l0, l1, l2, l3, chunk_type @ ..] = head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        match &chunk_type {
            b"eXIf" if u64::from(length) <= MAX_EXIF => {
                let mut exif = vec![0; length as usize];
                input.read_exact(&mut exif)?;
                return Ok(Some(exif));
            }
            b"IEND" => return Ok(None),
            _ => input.seek_relative(i64::from(length) + CHECKSUM_BYTES)?,
        }
        if input.fill_buf()?.is_empty() {
            return Ok(None);
        }
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
