//! TIFF: header reading, and decoding of the first page.
//!
//! Only the orientation is read of the metadata. Color types that cannot be decoded, such as palettes, are
//! [`ErrorKind::Unsupported`]: the file counts as one without renditions, because raw formats of cameras
//! begin like TIFF.

use image::{DynamicImage, ImageDecoder, ImageError};

use super::{
    color,
    deadline::Deadline,
    format::{MAX_ICC_PROFILE, RawHeader},
    input::{self, Input},
    limits::ImageLimits,
};
use crate::error::{Error, ErrorKind, Result};

/// Reads the header, and checks the memory limit.
pub(super) fn read_header(input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let mut decoder = open(input, limits)?;
    let orientation = decoder.orientation().map_err(|error| failed(deadline, error))?;
    Ok(RawHeader {
        size: decoder.dimensions(),
        has_alpha: decoder.color_type().has_alpha(),
        exif: None,
        orientation: Some(orientation),
    })
}

/// Decodes the first page, and converts it to sRGB.
pub(super) fn decode(input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let mut decoder = open(input, limits)?;
    let profile = decoder.icc_profile().ok().flatten();
    let profile = profile.filter(|profile| profile.len() <= MAX_ICC_PROFILE);
    let profile = profile.as_deref().and_then(color::parse_profile);
    let image = pixels(decoder).map_err(|error| failed(deadline, error))?;
    let image = match image {
        DynamicImage::ImageLuma16(_) => image.into_luma8().into(),
        DynamicImage::ImageLumaA16(_) => image.into_luma_alpha8().into(),
        other => other,
    };
    color::to_srgb(image, profile.as_ref(), deadline)
}

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
fn open(input: Input, limits: &ImageLimits) -> Result<impl ImageDecoder> {
    let deadline = input::deadline(&input);
    let failed = |error| failed(deadline, error);
    let mut decoder = image::codecs::tiff::TiffDecoder::new(input).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    // The decoder holds the pixels twice, with four samples per pixel if they are CMYK.
    let color_type = decoder.color_type();
    let bytes_per_sample = u64::from(color_type.bytes_per_pixel() / color_type.channel_count());
    let pixels = u64::from(width) * u64::from(height);
    let held = decoder.total_bytes().saturating_add(pixels * 4 * bytes_per_sample);
    limits.check_memory(held)?;
    let mut decoder_limits = image::Limits::default();
    // `ImageLimits::check_size` checks the sides, and names them in its error.
    (decoder_limits.max_image_width, decoder_limits.max_image_height) = (None, None);
    decoder_limits.max_alloc = Some(limits.max_memory);
    decoder.set_limits(decoder_limits).map_err(failed)?;
    Ok(decoder)
}

#[expect(clippy::disallowed_methods, reason = "src/image is the only entry point to decoders (P1)")]
fn pixels(decoder: impl ImageDecoder) -> image::ImageResult<DynamicImage> {
    DynamicImage::from_decoder(decoder)
}

fn failed(deadline: Deadline, error: ImageError) -> Error {
    if let ImageError::Unsupported(_) = error {
        let message = "renditions of this kind of TIFF are not supported";
        return Error::new(ErrorKind::Unsupported, message).with_source(error);
    }
    input::failed(deadline, error)
}
