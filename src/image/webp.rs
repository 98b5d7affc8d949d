//! WebP: RIFF chunk scanning for EXIF data and the ICC profile, and decoding.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::{DynamicImage, ImageDecoder, ImageFormat};

use super::{
    color,
    format::{MAX_EXIF, MAX_ICC_PROFILE, RawHeader},
    input::{self, Input},
    limits::ImageLimits,
};
use crate::error::Result;

/// Reads the header, and checks the memory limit.
pub(super) fn read_header(mut input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let exif = chunk(&mut input, b"EXIF", MAX_EXIF)?;
    let decoder = open(input, limits)?;
    Ok(RawHeader { size: decoder.dimensions(), has_alpha: decoder.color_type().has_alpha(), exif })
}

/// Decodes the first frame, and converts it to sRGB.
pub(super) fn decode(mut input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let profile = chunk(&mut input, b"ICCP", MAX_ICC_PROFILE as u64)?;
    let profile = profile.as_deref().and_then(color::parse_profile);
    let decoder = open(input, limits)?;
    let image = pixels(decoder).map_err(|error| input::failed(deadline, error))?;
    color::to_srgb(image, profile.as_ref(), deadline)
}

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
fn open(input: Input, limits: &ImageLimits) -> Result<impl ImageDecoder> {
    let deadline = input::deadline(&input);
    let mut decoder_limits = image::Limits::default();
    // `ImageLimits::check_size` checks the sides, and names them in its error.
    (decoder_limits.max_image_width, decoder_limits.max_image_height) = (None, None);
    decoder_limits.max_alloc = Some(limits.max_memory);
    let mut reader = image::ImageReader::with_format(input, ImageFormat::WebP);
    reader.limits(decoder_limits);
    let decoder = reader.into_decoder().map_err(|error| input::failed(deadline, error))?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    // The decoder does not count the output buffer.
    limits.check_memory(decoder.total_bytes())?;
    Ok(decoder)
}

#[expect(clippy::disallowed_methods, reason = "src/image is the only entry point to decoders (P1)")]
fn pixels(decoder: impl ImageDecoder) -> image::ImageResult<DynamicImage> {
    DynamicImage::from_decoder(decoder)
}

/// Reads the first RIFF chunk of a type, of at most `max` bytes, and rewinds.
fn chunk(input: &mut Input, chunk_type: &[u8; 4], max: u64) -> Result<Option<Vec<u8>>> {
    let deadline = input::deadline(input);
    let found = find_chunk(input, chunk_type, max).unwrap_or_default();
    input.seek(SeekFrom::Start(0)).map_err(|error| input::failed(deadline, error))?;
    deadline.check()?;
    Ok(found)
}

fn find_chunk(input: &mut Input, chunk_type: &[u8; 4], max: u64) -> io::Result<Option<Vec<u8>>> {
    const RIFF_HEADER_BYTES: i64 = 12;
    input.seek_relative(RIFF_HEADER_BYTES)?;
    while !input.fill_buf()?.is_empty() {
        let mut head = [0; 8];
        input.read_exact(&mut head)?;
        let [found @ .., l0, l1, l2, l3] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if found == *chunk_type && u64::from(length) <= max {
            let mut chunk = vec![0; length as usize];
            input.read_exact(&mut chunk)?;
            return Ok(Some(chunk));
        }
        // Chunks are padded to even sizes.
        input.seek_relative(i64::from(length) + i64::from(length % 2))?;
    }
    Ok(None)
}
