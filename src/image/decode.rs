//! Decoding to RGB or RGBA pixels in sRGB with 8 bits per sample.

use image::DynamicImage;

#[cfg(any(feature = "heic", feature = "avif"))]
use super::heif;
#[cfg(feature = "tiff")]
use super::tiff;
use super::{
    color,
    format::Format,
    gif,
    header::{Header, oriented_size},
    input::{self, Input},
    jpeg::{self, DecodedJpeg, PixelFormat},
    limits::ImageLimits,
    png, resize, webp,
};
use crate::{error::Result, media::Transform};

/// Decodes the first frame at a size from which all of `transforms` can be made, before its orientation is
/// applied.
pub(super) fn decode(
    input: Input,
    header: &Header,
    transforms: &[Transform],
    limits: &ImageLimits,
) -> Result<DynamicImage> {
    match header.format {
        Format::Jpeg => {
            let size = header.display_size();
            let needed = transforms
                .iter()
                .map(|transform| resize::uncropped_size(size, transform))
                .fold((1, 1), |max, size| (max.0.max(size.0), max.1.max(size.1)));
            decode_jpeg(input, oriented_size(needed, header.orientation), limits)
        }
        Format::Png => png::decode(input, limits),
        Format::Gif => gif::decode(input, limits),
        Format::WebP => webp::decode(input, limits),
        #[cfg(any(feature = "heic", feature = "avif"))]
        Format::Heif => heif::decode(input, limits),
        #[cfg(feature = "tiff")]
        Format::Tiff => tiff::decode(input, limits),
    }
}

fn decode_jpeg(input: Input, needed: (u32, u32), limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let decoded = jpeg::decode(input, needed, limits.max_memory)?;
    let DecodedJpeg { width, height, format, bytes, icc_profile } = decoded;
    let profile = icc_profile.as_deref().and_then(color::parse_profile);
    let size = (width, height);
    match format {
        PixelFormat::Cmyk => {
            let rgb = color::cmyk_to_srgb(&bytes, profile.as_ref(), deadline)?;
            color::image_from_bytes(size, 3, rgb)
        }
        PixelFormat::Rgb | PixelFormat::Gray => {
            let channels = if format == PixelFormat::Rgb { 3 } else { 1 };
            let image = color::image_from_bytes(size, channels, bytes)?;
            color::to_srgb(image, profile.as_ref(), deadline)
        }
    }
}
