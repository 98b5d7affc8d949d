//! From decoded pixels to those of each rendition: resized, turned upright, with bars.

use std::cmp::Reverse;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{DynamicImage, RgbImage, Rgba, RgbaImage, imageops, metadata::Orientation};

use super::header::turned;
use crate::{
    error::{Error, ErrorKind, Result},
    media::{Fit, Transform, covering, inside},
};

type Size = (u32, u32);

/// How much larger than what is made of it a scaled picture has to be, to be a source as good as the
/// original.
const SOURCE_FACTOR: u32 = 2;

/// The size of the whole picture in a rendition, before it is cropped or gets bars.
pub(super) fn whole(of: Size, fitted: &Transform) -> Size {
    let asked = asked(of, fitted);
    match fitted.fit() {
        Fit::Cover => {
            let by = covering(of, asked);
            let side = |side: u32| (f64::from(side) * by).ceil() as u32;
            (side(of.0), side(of.1))
        }
        Fit::Contain => inside(of, asked),
        _ => asked,
    }
}

fn asked(of: Size, fitted: &Transform) -> Size {
    (fitted.width().unwrap_or(of.0), fitted.height().unwrap_or(of.1))
}

/// Makes the pixels of each of `fitted`, in their order. The largest is made first, for the smaller
/// ones can be made of it.
pub(super) fn scale(
    picture: DynamicImage,
    orientation: Orientation,
    fitted: &[Transform],
    shown: Size,
) -> Result<Vec<DynamicImage>> {
    let mut order: Vec<usize> = (0..fitted.len()).collect();
    order.sort_by_key(|index| {
        let (width, height) = whole(shown, &fitted[*index]);
        Reverse(u64::from(width) * u64::from(height))
    });
    let mut resizer = Resizer::new();
    let mut scaled: Vec<Option<DynamicImage>> = vec![None; fitted.len()];
    for (place, index) in order.iter().copied().enumerate() {
        let fitted_one = &fitted[index];
        let whole = turned(whole(shown, fitted_one), orientation);
        let sources = order[..place].iter().filter(|done| fitted[**done].fit() != Fit::Cover);
        let source = sources
            .filter_map(|done| scaled[*done].as_ref())
            .rfind(|source| {
                source.width() >= whole.0 * SOURCE_FACTOR
                    && source.height() >= whole.1 * SOURCE_FACTOR
            })
            .unwrap_or(&picture);
        let size = match fitted_one.fit() {
            Fit::Contain => whole,
            _ => turned(asked(shown, fitted_one), orientation),
        };
        scaled[index] = Some(resize(&mut resizer, source, size, fitted_one.fit() == Fit::Cover)?);
    }
    let upright = scaled.into_iter().flatten().zip(fitted).map(|(mut picture, fitted)| {
        picture.apply_orientation(orientation);
        match (fitted.fit(), fitted.width(), fitted.height()) {
            (Fit::Contain, Some(width), Some(height)) => bars(&picture, width, height),
            _ => picture,
        }
    });
    Ok(upright.collect())
}

fn resize(
    resizer: &mut Resizer,
    source: &DynamicImage,
    size: Size,
    crop: bool,
) -> Result<DynamicImage> {
    if (source.width(), source.height()) == size {
        return Ok(source.clone());
    }
    let alpha = source.color().has_alpha();
    let pixel = if alpha { PixelType::U8x4 } else { PixelType::U8x3 };
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    if crop {
        options = options.fit_into_destination(Some((0.5, 0.5)));
    }
    let from = ImageRef::new(source.width(), source.height(), source.as_bytes(), pixel)
        .map_err(unscaled)?;
    let mut to = Image::new(size.0, size.1, pixel);
    resizer.resize(&from, &mut to, &options).map_err(unscaled)?;
    let bytes = to.into_vec();
    let picture = if alpha {
        RgbaImage::from_raw(size.0, size.1, bytes).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(size.0, size.1, bytes).map(DynamicImage::from)
    };
    picture.ok_or_else(|| unscaled("a resized picture has another size than asked"))
}

/// Puts a picture in the middle of opaque black, as the media protocol has it.
fn bars(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let middle = |outer: u32, inner: u32| i64::from((outer - inner) / 2);
    let (x, y) = (middle(width, picture.width()), middle(height, picture.height()));
    match picture {
        DynamicImage::ImageRgba8(pixels) => {
            let mut canvas = RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 255]));
            imageops::replace(&mut canvas, pixels, x, y);
            canvas.into()
        }
        _ => {
            let mut canvas = RgbImage::new(width, height);
            imageops::replace(&mut canvas, &picture.to_rgb8(), x, y);
            canvas.into()
        }
    }
}

fn unscaled(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "a picture could not be resized").with_source(error)
}
