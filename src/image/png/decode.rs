//! Reads the header and decodes the rows.

use std::io;

use image::DynamicImage;
use moxcms::ColorProfile;
use png::{BitDepth, ColorType, DecodingError, InterlaceInfo, Limits, Transformations};

use super::{
    chunks::{Chunks, Extent, read_exif},
    color_space,
};
use crate::{
    error::Result,
    image::{
        color,
        format::{MAX_ICC_PROFILE, RawHeader},
        input::{self, Input},
        limits::ImageLimits,
        partial,
    },
};

/// Bounds all that the decoder allocates besides the pixels, in bytes: chunks, the ICC profile, one row.
const MAX_DECODER_MEMORY: usize = 2 * MAX_ICC_PROFILE;

/// Reads the header, and checks the memory limit.
pub(in crate::image) fn read_header(mut input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let exif = read_exif(&mut input).unwrap_or_default();
    let failed = |error: DecodingError| input::failed(deadline, error);
    let chunks = Chunks::new(&mut input, Extent::ALL).map_err(|error| failed(error.into()))?;
    let reader = open(chunks, true).map_err(failed)?;
    let (color_type, _) = reader.output_color_type();
    let size = reader.info().size();
    limits.check_size(size.0, size.1)?;
    limits.check_memory(memory(&reader))?;
    Ok(RawHeader { size, has_alpha: has_alpha(color_type), exif, orientation: None })
}

/// Decodes the default image, and converts it to sRGB.
pub(in crate::image) fn decode(mut input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let mut decoded = read_rows(&mut input, Extent::ALL, limits)?;
    if let Some(offset) = decoded.damage_offset.take() {
        // The decoder loses the rows that it holds back when it meets invalid data. The second pass finds
        // the invalid byte, and in the last one the data ends before it.
        drop(decoded);
        let fine = Extent { single_bytes_from: offset, ..Extent::ALL };
        let end = read_rows(&mut input, fine, limits)?.damage_offset.unwrap_or(u64::MAX);
        decoded = read_rows(&mut input, Extent { end, ..Extent::ALL }, limits)?;
    }
    let DecodedPng { size, color_type, mut pixels, rows, profile, .. } = decoded;
    partial::check_rows(rows, size.1 as usize).map_err(|error| input::failed(deadline, error))?;
    let row_bytes = size.0 as usize * color_type.samples();
    partial::fill_missing(&mut pixels[rows * row_bytes..], has_alpha(color_type));
    let image = color::image_from_bytes(size, color_type.samples(), pixels)?;
    color::to_srgb(image, profile.as_ref(), deadline)
}

fn has_alpha(color_type: ColorType) -> bool {
    matches!(color_type, ColorType::Rgba | ColorType::GrayscaleAlpha)
}

type Reader<'a> = png::Reader<Chunks<'a>>;

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
fn open(chunks: Chunks<'_>, ignores_profile: bool) -> Result<Reader<'_>, DecodingError> {
    let limits = Limits { bytes: MAX_DECODER_MEMORY };
    let mut decoder = png::Decoder::new_with_limits(chunks, limits);
    decoder.ignore_checksums(true);
    decoder.set_ignore_iccp_chunk(ignores_profile);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info()
}

/// Returns the bytes of memory that decoding takes: the pixels with 8 bits, those of a gray image as RGB as
/// well, and two rows.
fn memory(reader: &Reader<'_>) -> u64 {
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

/// The decoded part of an image.
struct DecodedPng {
    size: (u32, u32),
    color_type: ColorType,
    /// 8 bits per sample.
    pixels: Vec<u8>,
    /// The rows from the top of which at least the first pass is decoded.
    rows: usize,
    profile: Option<ColorProfile>,
    /// The offset in the compressed data of the chunk that is invalid.
    damage_offset: Option<u64>,
}

/// Decodes rows up to the end of the data or invalid data.
fn read_rows(input: &mut Input, extent: Extent, limits: &ImageLimits) -> Result<DecodedPng> {
    let deadline = input::deadline(input);
    let failed = |error: DecodingError| input::failed(deadline, error);
    let chunks = Chunks::new(input, extent).map_err(|error| failed(error.into()))?;
    let decoded_data = chunks.decoded_data();
    let mut reader = open(chunks, false).map_err(failed)?;
    limits.check_memory(memory(&reader))?;
    let (color_type, depth) = reader.output_color_type();
    let size = reader.info().size();
    let row_bytes = size.0 as usize * color_type.samples();
    let mut decoded = DecodedPng {
        size,
        color_type,
        pixels: vec![0; row_bytes * size.1 as usize],
        rows: 0,
        profile: color_space::profile(reader.info()),
        damage_offset: None,
    };
    let line_size = reader.output_line_size(size.0).ok_or(DecodingError::LimitsExceeded);
    let mut row = vec![0; line_size.map_err(failed)?];
    let rows = row_count(reader.info());
    for line in 0..rows {
        let interlace = match reader.read_row(&mut row) {
            Ok(Some(interlace)) => interlace,
            Ok(None) => break,
            Err(DecodingError::Format(_)) => {
                decoded.damage_offset = Some(decoded_data.get());
                break;
            }
            Err(DecodingError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                break;
            }
            Err(error) => return Err(failed(error)),
        };
        let row = if depth == BitDepth::Sixteen { narrow(&mut row) } else { &row[..] };
        decoded.rows = match interlace {
            InterlaceInfo::Null(_) => {
                let start = line * row_bytes;
                decoded.pixels[start..start + row_bytes].copy_from_slice(&row[..row_bytes]);
                line + 1
            }
            InterlaceInfo::Adam7(pass) => {
                let bits = 8 * color_type.samples() as u8;
                // Each pixel covers those of later passes, which show it if they are missing.
                png::splat_interlaced_row(&mut decoded.pixels, row_bytes, row, &pass, bits);
                size.1.min(8 * (line as u32 + 1)) as usize
            }
        };
    }
    Ok(decoded)
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
fn row_count(info: &png::Info<'_>) -> usize {
    // The first column and row of each pass, and the distance to the next row.
    const PASSES: [(u32, u32, u32); 7] =
        [(0, 0, 8), (4, 0, 8), (0, 4, 8), (2, 0, 4), (0, 2, 4), (1, 0, 2), (0, 1, 2)];
    if !info.interlaced {
        return info.height as usize;
    }
    let passes = PASSES.iter().filter(|(column, ..)| *column < info.width);
    passes.map(|(_, row, step)| info.height.saturating_sub(*row).div_ceil(*step) as usize).sum()
}
