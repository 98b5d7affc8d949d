//! From pixels to the bytes of a rendition. Nothing but pixels goes in, so no metadata comes out.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use bytes::Bytes;
use image::{
    DynamicImage, ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use jpeg_encoder::SamplingFactor;
use webp::WebPConfig;

use super::Rendered;
use crate::{
    error::{Error, ErrorKind, Result},
    media::{Format, Transform},
};

/// How hard libwebp tries, of 0 to 6: the most that costs no search through modes of prediction.
///
/// Its default, 4, takes 2.3 times as long. Measured at qualities 80 to 90, over photographs of 0.1 to
/// 2.8 megapixels and against the pixels that were encoded, it gains 0.0002 to 0.006 in SSIM, and
/// files become from 3 % larger to 10 % smaller.
const WEBP_METHOD: i32 = 2;

/// Encodes all, on two threads if `helped`: the largest first, for it takes longest.
pub(super) fn encode_all(
    pictures: Vec<DynamicImage>,
    fitted: &[Transform],
    helped: bool,
) -> Result<Vec<Rendered>> {
    let mut order: Vec<usize> = (0..pictures.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(pictures[*index].as_bytes().len()));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((index, encode(&pictures[index], &fitted[index])));
        }
        done
    };
    let mut all = if helped && pictures.len() > 1 {
        thread::scope(|scope| {
            let helper = scope.spawn(work);
            let mut all = work();
            all.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            all
        })
    } else {
        work()
    };
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, rendered)| rendered).collect()
}

fn encode(picture: &DynamicImage, fitted: &Transform) -> Result<Rendered> {
    let bytes = match fitted.format() {
        Format::WebP => webp(picture, fitted.quality()),
        Format::Jpeg => jpeg(picture, fitted.quality()),
        Format::Png => png(picture),
        #[cfg(feature = "avif")]
        Format::Avif => avif(picture, fitted.quality()),
        #[cfg(not(feature = "avif"))]
        Format::Avif => Err(unwritten("AVIF is not written here")),
    }?;
    Ok(Rendered {
        bytes,
        mime_type: fitted.format().mime_type(),
        width: picture.width(),
        height: picture.height(),
    })
}

fn webp(picture: &DynamicImage, quality: u8) -> Result<Bytes> {
    let mut config = WebPConfig::new().map_err(|()| unwritten("libwebp has another version"))?;
    config.quality = quality.into();
    config.method = WEBP_METHOD;
    let layout =
        if picture.color().has_alpha() { webp::PixelLayout::Rgba } else { webp::PixelLayout::Rgb };
    webp::Encoder::new(picture.as_bytes(), layout, picture.width(), picture.height())
        .encode_advanced(&config)
        .map(|memory| Bytes::copy_from_slice(&memory))
        .map_err(|error| unwritten(format!("{error:?}")))
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Bytes> {
    let flat;
    let picture = match picture {
        DynamicImage::ImageRgba8(pixels) => {
            flat = on_black(pixels);
            &flat
        }
        opaque => opaque,
    };
    let side = |side| u16::try_from(side).map_err(|_| unwritten("too large for a JPEG"));
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(picture.as_bytes(), width, height, jpeg_encoder::ColorType::Rgb)
        .map_err(unwritten)?;
    Ok(bytes.into())
}

/// What shows through is black, as the media protocol has it.
fn on_black(pixels: &image::RgbaImage) -> DynamicImage {
    let mut flat = image::RgbImage::new(pixels.width(), pixels.height());
    for (from, to) in pixels.pixels().zip(flat.pixels_mut()) {
        let alpha = u16::from(from[3]);
        to.0 = [0, 1, 2].map(|at| ((u16::from(from[at]) * alpha + 127) / 255) as u8);
    }
    flat.into()
}

fn png(picture: &DynamicImage) -> Result<Bytes> {
    let colour = match picture {
        DynamicImage::ImageRgba8(_) => ExtendedColorType::Rgba8,
        _ => ExtendedColorType::Rgb8,
    };
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(picture.as_bytes(), picture.width(), picture.height(), colour)
        .map_err(unwritten)?;
    Ok(bytes.into())
}

/// The fastest way that rav1e has: without its assembly the next slower ones take up to three times as long.
#[cfg(feature = "avif")]
const AVIF_SPEED: u8 = 10;

#[cfg(feature = "avif")]
fn avif(picture: &DynamicImage, quality: u8) -> Result<Bytes> {
    let mut bytes = Vec::new();
    image::codecs::avif::AvifEncoder::new_with_speed_quality(&mut bytes, AVIF_SPEED, quality)
        .with_num_threads(Some(1))
        .write_image(picture.as_bytes(), picture.width(), picture.height(), picture.color().into())
        .map_err(unwritten)?;
    Ok(bytes.into())
}

fn unwritten(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "a rendition could not be written").with_source(error)
}
