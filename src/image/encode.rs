//! Encoding of renditions. Encoders get pixels only, so renditions carry no metadata (promise P6).

use std::{
    io::{self, Write},
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

use super::{deadline::Deadline, source::Rendered};
use crate::{
    error::{Error, ErrorKind, Result},
    media::{Format, Transform},
};

/// The effort of libwebp, 0 to 6: the highest value without a search through prediction modes.
///
/// Its default, 4, takes 2.3 times as long. Measured at qualities 80 to 90, over photographs of 0.1 to
/// 2.8 megapixels and against the pixels that were encoded, the default gains 0.0002 to 0.006 in SSIM, with
/// files from 3 % larger to 10 % smaller.
const WEBP_METHOD: i32 = 2;

/// Encodes all images, on two threads if `uses_second_thread`. The largest is encoded first, because it
/// takes longest.
pub(super) fn encode_all(
    images: Vec<DynamicImage>,
    transforms: &[Transform],
    uses_second_thread: bool,
    deadline: Deadline,
) -> Result<Vec<Rendered>> {
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(images[*index].as_bytes().len()));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((index, encode(&images[index], &transforms[index], deadline)));
        }
        done
    };
    let mut all = if uses_second_thread && images.len() > 1 {
        thread::scope(|scope| {
            let second = scope.spawn(work);
            let mut all = work();
            all.extend(second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            all
        })
    } else {
        work()
    };
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, rendered)| rendered).collect()
}

fn encode(image: &DynamicImage, transform: &Transform, deadline: Deadline) -> Result<Rendered> {
    deadline.check()?;
    let output = Output { bytes: Vec::new(), deadline };
    let bytes = match transform.format() {
        Format::WebP => webp(image, transform.quality()),
        Format::Jpeg => jpeg(image, transform.quality(), output),
        Format::Png => png(image, output),
        #[cfg(feature = "avif")]
        Format::Avif => avif(image, transform.quality()),
        #[cfg(not(feature = "avif"))]
        Format::Avif => Err(encode_error("AVIF needs the feature `avif`")),
    };
    Ok(Rendered {
        bytes: bytes.map_err(|error| deadline.check().err().unwrap_or(error))?,
        mime_type: transform.format().mime_type(),
        width: image.width(),
        height: image.height(),
    })
}

/// Collects the output of an encoder, and fails at the deadline, which stops encoders that write as they
/// proceed.
struct Output {
    bytes: Vec<u8>,
    deadline: Deadline,
}

impl Write for &mut Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn webp(image: &DynamicImage, quality: u8) -> Result<Bytes> {
    let mut config =
        WebPConfig::new().map_err(|()| encode_error("incompatible version of libwebp"))?;
    config.quality = quality.into();
    config.method = WEBP_METHOD;
    let layout =
        if image.color().has_alpha() { webp::PixelLayout::Rgba } else { webp::PixelLayout::Rgb };
    webp::Encoder::new(image.as_bytes(), layout, image.width(), image.height())
        .encode_advanced(&config)
        .map(|memory| Bytes::copy_from_slice(&memory))
        .map_err(|error| encode_error(format!("{error:?}")))
}

fn jpeg(image: &DynamicImage, quality: u8, mut output: Output) -> Result<Bytes> {
    let flat;
    let image = match image {
        DynamicImage::ImageRgba8(pixels) => {
            flat = blend_with_black(pixels);
            &flat
        }
        opaque => opaque,
    };
    let side =
        |side| u16::try_from(side).map_err(|_| encode_error("the sides are too long for JPEG"));
    let (width, height) = (side(image.width())?, side(image.height())?);
    let mut encoder = jpeg_encoder::Encoder::new(&mut output, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder
        .encode(image.as_bytes(), width, height, jpeg_encoder::ColorType::Rgb)
        .map_err(encode_error)?;
    Ok(output.bytes.into())
}

/// Blends transparent pixels with black, as the media protocol specifies.
fn blend_with_black(pixels: &image::RgbaImage) -> DynamicImage {
    let mut flat = image::RgbImage::new(pixels.width(), pixels.height());
    for (from, to) in pixels.pixels().zip(flat.pixels_mut()) {
        let alpha = u16::from(from[3]);
        to.0 = [0, 1, 2].map(|at| ((u16::from(from[at]) * alpha + 127) / 255) as u8);
    }
    flat.into()
}

fn png(image: &DynamicImage, mut output: Output) -> Result<Bytes> {
    let color = match image {
        DynamicImage::ImageRgba8(_) => ExtendedColorType::Rgba8,
        _ => ExtendedColorType::Rgb8,
    };
    PngEncoder::new_with_quality(&mut output, CompressionType::Default, FilterType::Adaptive)
        .write_image(image.as_bytes(), image.width(), image.height(), color)
        .map_err(encode_error)?;
    Ok(output.bytes.into())
}

/// The fastest way that rav1e has: without its assembly the next slower ones take up to three times as long.
#[cfg(feature = "avif")]
const AVIF_SPEED: u8 = 10;

#[cfg(feature = "avif")]
fn avif(image: &DynamicImage, quality: u8) -> Result<Bytes> {
    let mut bytes = Vec::new();
    image::codecs::avif::AvifEncoder::new_with_speed_quality(&mut bytes, AVIF_SPEED, quality)
        .with_num_threads(Some(1))
        .write_image(image.as_bytes(), image.width(), image.height(), image.color().into())
        .map_err(encode_error)?;
    Ok(bytes.into())
}

fn encode_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "a rendition could not be written").with_source(error)
}
