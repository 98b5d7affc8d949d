//! Resizing decoded pixels to each rendition: scaled, cropped, turned upright, letterboxed.

use std::cmp::Reverse;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{DynamicImage, RgbImage, Rgba, RgbaImage, imageops};

use super::{
    color::image_from_bytes,
    deadline::Deadline,
    header::{Header, oriented_size},
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::{Fit, Transform, covering, inside},
};

type Size = (u32, u32);

/// A rendition is made of a larger one instead of the source image if that is at least this many times as
/// large, which costs no visible quality.
const SOURCE_FACTOR: u32 = 2;

/// Returns the size of the whole image in a rendition, before it is cropped or letterboxed.
pub(super) fn uncropped_size(source: Size, transform: &Transform) -> Size {
    let target = target_size(source, transform);
    match transform.fit() {
        Fit::Cover => {
            let factor = covering(source, target);
            let side = |side: u32| (f64::from(side) * factor).ceil() as u32;
            (side(source.0), side(source.1))
        }
        Fit::Contain => inside(source, target),
        _ => target,
    }
}

fn target_size(source: Size, transform: &Transform) -> Size {
    (transform.width().unwrap_or(source.0), transform.height().unwrap_or(source.1))
}

/// Makes the pixels of each transform, in order. The largest is made first, as a source of smaller ones.
pub(super) fn resize_all(
    image: DynamicImage,
    header: &Header,
    transforms: &[Transform],
    deadline: Deadline,
) -> Result<Vec<DynamicImage>> {
    let (display_size, orientation) = (header.display_size(), header.orientation);
    let mut order: Vec<usize> = (0..transforms.len()).collect();
    order.sort_by_key(|index| {
        let (width, height) = uncropped_size(display_size, &transforms[*index]);
        Reverse(u64::from(width) * u64::from(height))
    });
    let mut resizer = Resizer::new();
    let mut resized: Vec<Option<DynamicImage>> = vec![None; transforms.len()];
    for (position, index) in order.iter().copied().enumerate() {
        deadline.check()?;
        let transform = &transforms[index];
        let uncropped = oriented_size(uncropped_size(display_size, transform), orientation);
        let larger = order[..position].iter().filter(|done| transforms[**done].fit() != Fit::Cover);
        let source = larger
            .filter_map(|done| resized[*done].as_ref())
            .rfind(|source| {
                source.width() >= uncropped.0 * SOURCE_FACTOR
                    && source.height() >= uncropped.1 * SOURCE_FACTOR
            })
            .unwrap_or(&image);
        let size = match transform.fit() {
            Fit::Contain => uncropped,
            _ => oriented_size(target_size(display_size, transform), orientation),
        };
        let crops = transform.fit() == Fit::Cover;
        resized[index] = Some(resize(&mut resizer, source, size, crops)?);
    }
    let upright = resized.into_iter().flatten().zip(transforms).map(|(mut image, transform)| {
        image.apply_orientation(orientation);
        match (transform.fit(), transform.width(), transform.height()) {
            (Fit::Contain, Some(width), Some(height)) => letterbox(&image, width, height),
            _ => image,
        }
    });
    Ok(upright.collect())
}

fn resize(
    resizer: &mut Resizer,
    source: &DynamicImage,
    size: Size,
    crops: bool,
) -> Result<DynamicImage> {
    if (source.width(), source.height()) == size {
        return Ok(source.clone());
    }
    let has_alpha = source.color().has_alpha();
    let (pixel, channels) = if has_alpha { (PixelType::U8x4, 4) } else { (PixelType::U8x3, 3) };
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    if crops {
        options = options.fit_into_destination(Some((0.5, 0.5)));
    }
    let from = ImageRef::new(source.width(), source.height(), source.as_bytes(), pixel)
        .map_err(resize_error)?;
    let mut to = Image::new(size.0, size.1, pixel);
    resizer.resize(&from, &mut to, &options).map_err(resize_error)?;
    image_from_bytes(size, channels, to.into_vec())
}

/// Centres an image on opaque black, as the media protocol specifies.
fn letterbox(image: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let centre = |outer: u32, inner: u32| i64::from((outer - inner) / 2);
    let (x, y) = (centre(width, image.width()), centre(height, image.height()));
    match image {
        DynamicImage::ImageRgba8(pixels) => {
            let mut canvas = RgbaImage::from_pixel(width, height, Rgba([0, 0, 0, 255]));
            imageops::replace(&mut canvas, pixels, x, y);
            canvas.into()
        }
        _ => {
            let mut canvas = RgbImage::new(width, height);
            imageops::replace(&mut canvas, &image.to_rgb8(), x, y);
            canvas.into()
        }
    }
}

fn resize_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "resizing the image failed").with_source(error)
}
