//! Conversion of decoded pixels to sRGB with 8 bits per sample.

use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::deadline::Deadline;
use crate::error::{Error, ErrorKind, Result};

/// The pixels converted between two checks of the deadline.
const CHUNK_PIXELS: usize = 16 << 10;

/// Parses an ICC profile; `None` if it is invalid.
pub(super) fn parse_profile(icc: &[u8]) -> Option<ColorProfile> {
    ColorProfile::new_from_slice(icc).ok()
}

/// Makes an image of 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGBA) bytes per pixel.
pub(super) fn image_from_bytes(
    (width, height): (u32, u32),
    channels: usize,
    bytes: Vec<u8>,
) -> Result<DynamicImage> {
    let image = match channels {
        1 => GrayImage::from_raw(width, height, bytes).map(DynamicImage::from),
        2 => GrayAlphaImage::from_raw(width, height, bytes).map(DynamicImage::from),
        3 => RgbImage::from_raw(width, height, bytes).map(DynamicImage::from),
        4 => RgbaImage::from_raw(width, height, bytes).map(DynamicImage::from),
        _ => None,
    };
    let what = "the decoded pixels do not have the size that the header says";
    image.ok_or_else(|| Error::new(ErrorKind::Failed, what))
}

/// Converts to RGB or RGBA with 8 bits per sample.
///
/// Without a profile, or with one for another color space than the image's, the values are taken as sRGB, as
/// browsers do.
pub(super) fn to_srgb(
    image: DynamicImage,
    profile: Option<&ColorProfile>,
    deadline: Deadline,
) -> Result<DynamicImage> {
    deadline.check()?;
    match profile {
        Some(profile) if profile.color_space == DataColorSpace::Gray => {
            gray_to_srgb(image, profile, deadline)
        }
        Some(profile) if profile.color_space == DataColorSpace::Rgb => {
            rgb_to_srgb(image, profile, deadline)
        }
        _ => Ok(to_rgb8(image)),
    }
}

/// Converts CMYK, in which 255 is full ink, to RGB.
pub(super) fn cmyk_to_srgb(
    cmyk: &[u8],
    profile: Option<&ColorProfile>,
    deadline: Deadline,
) -> Result<Vec<u8>> {
    let mut rgb = vec![0; cmyk.len() / 4 * 3];
    let profile = profile.filter(|profile| profile.color_space == DataColorSpace::Cmyk);
    if let Some(profile) = profile
        && convert(profile, (Layout::Rgba, cmyk), (Layout::Rgb, &mut rgb), deadline)?
    {
        return Ok(rgb);
    }
    for (ink, pixel) in cmyk.chunks_exact(4).zip(rgb.chunks_exact_mut(3)) {
        let light = |of: u8| (u16::from(255 - of) * u16::from(255 - ink[3]) / 255) as u8;
        pixel.copy_from_slice(&[light(ink[0]), light(ink[1]), light(ink[2])]);
    }
    Ok(rgb)
}

fn to_rgb8(image: DynamicImage) -> DynamicImage {
    if image.color().has_alpha() { image.into_rgba8().into() } else { image.into_rgb8().into() }
}

fn rgb_to_srgb(
    image: DynamicImage,
    profile: &ColorProfile,
    deadline: Deadline,
) -> Result<DynamicImage> {
    let mut image = to_rgb8(image);
    let (layout, channels, pixels): (_, _, &mut [u8]) = match &mut image {
        DynamicImage::ImageRgb8(pixels) => (Layout::Rgb, 3, pixels),
        DynamicImage::ImageRgba8(pixels) => (Layout::Rgba, 4, pixels),
        _ => return Ok(image),
    };
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let Ok(transform) = profile.create_transform_8bit(layout, &srgb, layout, options) else {
        return Ok(image);
    };
    // In chunks, so that no second copy of the whole image is needed.
    let mut source = vec![0; CHUNK_PIXELS * channels];
    for chunk in pixels.chunks_mut(CHUNK_PIXELS * channels) {
        deadline.check()?;
        let source = &mut source[..chunk.len()];
        source.copy_from_slice(chunk);
        if transform.transform(source, chunk).is_err() {
            chunk.copy_from_slice(source);
        }
    }
    Ok(image)
}

fn gray_to_srgb(
    image: DynamicImage,
    profile: &ColorProfile,
    deadline: Deadline,
) -> Result<DynamicImage> {
    let (width, height) = (image.width(), image.height());
    match &image {
        DynamicImage::ImageLuma8(gray) => {
            let mut rgb = RgbImage::new(width, height);
            if convert(profile, (Layout::Gray, gray), (Layout::Rgb, &mut rgb), deadline)? {
                return Ok(rgb.into());
            }
        }
        DynamicImage::ImageLumaA8(gray) => {
            let mut rgba = RgbaImage::new(width, height);
            if convert(profile, (Layout::GrayAlpha, gray), (Layout::Rgba, &mut rgba), deadline)? {
                return Ok(rgba.into());
            }
        }
        _ => {}
    }
    Ok(to_rgb8(image))
}

/// Converts with a profile; returns `false` if the profile cannot be used.
fn convert(
    profile: &ColorProfile,
    from: (Layout, &[u8]),
    to: (Layout, &mut [u8]),
    deadline: Deadline,
) -> Result<bool> {
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let Ok(transform) = profile.create_transform_8bit(from.0, &srgb, to.0, options) else {
        return Ok(false);
    };
    let source = from.1.chunks(CHUNK_PIXELS * from.0.channels());
    for (source, target) in source.zip(to.1.chunks_mut(CHUNK_PIXELS * to.0.channels())) {
        deadline.check()?;
        if transform.transform(source, target).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}
