//! Reads the header and decodes the first image.

use std::io;

use image::{DynamicImage, ImageDecoder};

use super::riff::Riff;
use crate::{
    error::{Error, Result},
    image::{
        color,
        deadline::Deadline,
        format::{MAX_EXIF, MAX_ICC_PROFILE, RawHeader},
        input::{self, Input},
        limits::ImageLimits,
        partial,
        source::ImageSource,
    },
    media::FailureReason,
};

/// Returns the bytes that stand for the missing part of a truncated image. The first two with which it can
/// be decoded are used: with others, the pixels end within a run.
fn paddings() -> impl Iterator<Item = u8> {
    const COUNT: u8 = 32;
    // An odd factor, so that all are different.
    (0..COUNT).map(|index| index.wrapping_mul(85))
}

/// Reads the header, and checks the memory limit.
pub(in crate::image) fn read_header(mut input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let riff = open(&mut input, limits)?;
    let exif = riff.exif(&mut input, MAX_EXIF);
    Ok(RawHeader { size: riff.size(), has_alpha: riff.has_alpha(), exif, orientation: None })
}

/// Decodes the first frame, and converts it to sRGB.
pub(in crate::image) fn decode(mut input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let failed = |error: io::Error| input::failed(deadline, error);
    let riff = open(&mut input, limits)?;
    let profile = riff.icc_profile(&mut input, MAX_ICC_PROFILE as u64);
    let profile = profile.as_deref().and_then(color::parse_profile);
    let mut decode_padded = |padding| {
        let container = riff.container(&mut input, padding).map_err(failed)?;
        pixels(container, deadline)
    };
    let pixels = if riff.is_truncated() {
        let mut decoded = paddings().map(&mut decode_padded).filter_map(Result::ok);
        let both = decoded.next().zip(decoded.next());
        drop(decoded);
        deadline.check()?;
        let (mut pixels, other) = both.ok_or_else(|| {
            Error::failed(FailureReason::Unreadable, "the image is truncated near its beginning")
        })?;
        let row_bytes = pixels.len() / riff.size().1 as usize;
        let rows = common_rows(&pixels, &other, row_bytes);
        partial::check_rows(rows, riff.size().1 as usize).map_err(failed)?;
        partial::fill_missing(&mut pixels[rows * row_bytes..], riff.has_alpha());
        pixels
    } else {
        decode_padded(0)?
    };
    let channels = if riff.has_alpha() { 4 } else { 3 };
    let image = color::image_from_bytes(riff.size(), channels, pixels)?;
    color::to_srgb(image, profile.as_ref(), deadline)
}

/// Reads the container, and checks the limits.
fn open(input: &mut Input, limits: &ImageLimits) -> Result<Riff> {
    let deadline = input::deadline(input);
    let riff = Riff::read(input).map_err(|error| input::failed(deadline, error))?;
    let (width, height) = riff.size();
    limits.check_size(width, height)?;
    let pixels = u64::from(width) * u64::from(height) * if riff.has_alpha() { 4 } else { 3 };
    // A truncated image is decoded twice. The decoder copies the coded image.
    let pixels = if riff.is_truncated() { 2 * pixels } else { pixels };
    limits.check_memory(pixels + 2 * riff.coded_bytes())?;
    Ok(riff)
}

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
fn pixels(container: Vec<u8>, deadline: Deadline) -> Result<Vec<u8>> {
    let failed = |error| input::failed(deadline, error);
    let input = input::open(&ImageSource::Bytes(container.into()), deadline)?;
    let decoder = image::codecs::webp::WebPDecoder::new(input).map_err(failed)?;
    let mut pixels = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut pixels).map_err(failed)?;
    Ok(pixels)
}

/// Counts the rows at the top in which two images agree: those that do not depend on the padding.
fn common_rows(one: &[u8], other: &[u8], row_bytes: usize) -> usize {
    let rows = one.chunks_exact(row_bytes).zip(other.chunks_exact(row_bytes));
    rows.take_while(|(one, other)| one == other).count()
}
