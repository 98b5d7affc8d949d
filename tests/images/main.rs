//! What is made of pictures from strangers, without a store: contract P1 to P6 and P12.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod colours;
mod damaged;
mod damaged_png;
mod every_picture;
mod exif;
mod field;
#[cfg(any(feature = "heic", feature = "avif"))]
mod field_heif;
mod field_jpeg;
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
    Rendition, Result,
    backend::ImageLimits,
    media::{Format, Transform},
    testkit::Images,
};

fn fixture(name: &str) -> Bytes {
    let path = format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

/// With more time than the default: tests are not optimised, and many run at once.
fn patient() -> ImageLimits {
    ImageLimits::new().with_timeout(Duration::from_secs(120))
}

fn images() -> Images {
    Images::new(patient())
}

/// One rendition.
async fn made(picture: impl Into<Bytes>, rendition: impl Into<Rendition>) -> Result<Bytes> {
    Ok(images().make(picture, &[rendition.into()]).await?.remove(0))
}

/// The pixels of a picture as it is shown, of any size.
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

/// The colours of the four quarters: top left, top right, bottom left, bottom right.
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

/// Asserts that no channel is further than `most` from what it should be.
#[track_caller]
fn close(ours: &[u8], expected: &[u8], most: u8, what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let far = ours.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    assert!(far <= most, "{what}: {ours:?} is {far} from {expected:?}");
}
