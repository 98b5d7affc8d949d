//! Reading and rendering untrusted images, without a store: promises P1 to P6, P12, P18 and P19.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod colors;
mod damaged;
mod damaged_png;
mod every_image;
mod exif;
mod field;
#[cfg(any(feature = "heic", feature = "avif"))]
mod field_heif;
mod field_jpeg;
mod fuzz;
#[cfg(any(feature = "heic", feature = "avif"))]
mod heif;
mod limits;
mod made;
mod orientation;
mod refused;
mod sizes;
mod stripped;
#[cfg(feature = "tiff")]
mod tiff;

use std::time::Duration;

use bytes::Bytes;
use image::DynamicImage;
use tower_media::{
    Error, Rendition, Result,
    backend::ImageLimits,
    media::{Format, Transform},
    testkit::Images,
};

fn fixture(name: &str) -> Bytes {
    let path = format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

/// Limits with more time than the default, because tests are not optimized and run concurrently.
fn generous() -> ImageLimits {
    ImageLimits::new().with_timeout(Duration::from_secs(120))
}

fn images() -> Images {
    Images::new(generous())
}

/// Makes one rendition.
async fn made(picture: impl Into<Bytes>, rendition: impl Into<Rendition>) -> Result<Bytes> {
    Ok(images().make(picture, &[rendition.into()]).await?.remove(0))
}

/// Returns the pixels of an image as displayed, at full size.
async fn shown(picture: impl Into<Bytes>) -> DynamicImage {
    decoded(&made(picture, png()).await.unwrap())
}

fn png() -> Transform {
    Transform::new().with_format(Format::Png)
}

#[expect(clippy::disallowed_methods, reason = "these are our own renditions")]
fn decoded(rendition: &[u8]) -> DynamicImage {
    image::load_from_memory(rendition).unwrap()
}

fn size(picture: &DynamicImage) -> (u32, u32) {
    (picture.width(), picture.height())
}

/// Returns the colors of the four quarters: top left, top right, bottom left, bottom right.
fn quarters(picture: &DynamicImage) -> [[u8; 3]; 4] {
    let picture = picture.to_rgb8();
    let (width, height) = picture.dimensions();
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| picture[(width * x / 4, height * y / 4)].0)
}

const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 180, 30];
const BLUE: [u8; 3] = [30, 30, 220];
const YELLOW: [u8; 3] = [230, 220, 30];
const QUAD: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

/// Returns whether a decoder panicked, which is reported as an error.
fn panicked(error: &Error) -> bool {
    format!("{error:?}").to_lowercase().contains("panic")
}

/// Asserts that each channel differs by at most `most` from the expected value.
#[track_caller]
fn close(ours: &[u8], expected: &[u8], most: u8, what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let far = ours.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    assert!(far <= most, "{what}: {ours:?} is {far} from {expected:?}");
}
