//! From bytes to pixels: eight bits, sRGB, RGB or RGBA.

use image::{DynamicImage, GrayImage, ImageDecoder, RgbImage};

#[cfg(any(feature = "heic", feature = "avif"))]
use super::heif;
use super::{
    ImageLimits, color,
    header::{Header, Kind, open, turned},
    input::{self, Input},
    jpeg::{self, DecodedJpeg, PixelFormat},
    resize,
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::Transform,
};

/// Decodes the first frame, at a size from which all of `fitted` can be made. The orientation is
/// that of the file.
pub(super) fn decode(
    input: Input,
    header: &Header,
    fitted: &[Transform],
    limits: &ImageLimits,
) -> Result<DynamicImage> {
    match header.kind {
        Kind::Jpeg => {
            let shown = header.shown();
            let sizes = fitted.iter().map(|fitted| resize::whole(shown, fitted));
            let needed = sizes.fold((1, 1), |most, size| (most.0.max(size.0), most.1.max(size.1)));
            let needed = turned(needed, header.orientation);
            from_jpeg(jpeg::decode(input, needed, limits.max_memory)?)
        }
        Kind::Other(format) => {
            let deadline = input::deadline(&input);
            let failed = |error| input::failed(deadline, error);
            let mut decoder = open(input, format, limits)?;
            let profile = decoder.icc_profile().map_err(failed)?;
            Ok(color::to_srgb(pixels(decoder).map_err(failed)?, profile.as_deref()))
        }
        #[cfg(any(feature = "heic", feature = "avif"))]
        Kind::Heif => {
            let (pixels, profile) = heif::decode(input, limits)?;
            Ok(color::to_srgb(pixels, profile.as_deref()))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "src/image is the only entry point to decoders (P1)")]
fn pixels(decoder: impl ImageDecoder) -> image::ImageResult<DynamicImage> {
    DynamicImage::from_decoder(decoder)
}

fn from_jpeg(decoded: DecodedJpeg) -> Result<DynamicImage> {
    let DecodedJpeg { width, height, format, bytes, icc_profile } = decoded;
    let profile = icc_profile.as_deref();
    let image = match format {
        PixelFormat::Rgb => RgbImage::from_raw(width, height, bytes).map(DynamicImage::from),
        PixelFormat::Gray => GrayImage::from_raw(width, height, bytes).map(DynamicImage::from),
        PixelFormat::Cmyk => {
            let rgb = color::cmyk_to_srgb(&bytes, profile);
            return RgbImage::from_raw(width, height, rgb)
                .map(DynamicImage::from)
                .ok_or_else(size_mismatch);
        }
    };
    image.map(|image| color::to_srgb(image, profile)).ok_or_else(size_mismatch)
}

fn size_mismatch() -> Error {
    Error::new(ErrorKind::Failed, "the decoded pixels do not have the size that the header says")
}
