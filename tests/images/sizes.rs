//! P12: renditions have the requested sizes and are never enlarged.

use tower_media::{
    ErrorKind, Rendition,
    media::{Fit, Format, Transform, Variant},
};

use crate::{decoded, fixture, images, made, png, size};

#[tokio::test]
async fn variants_have_their_sizes() {
    for (name, sizes) in [
        ("plain-2400x1600.jpg", [(200, 200), (800, 533), (1920, 1280)]),
        ("plain-1000x700.jpg", [(200, 200), (800, 560), (1000, 700)]),
        ("plain-1921x64.jpg", [(200, 64), (800, 27), (1920, 64)]),
        ("plain-801x100.jpg", [(200, 100), (800, 100), (801, 100)]),
        ("progressive-100x700.jpg", [(100, 200), (100, 700), (100, 700)]),
        ("one-pixel.png", [(1, 1); 3]),
    ] {
        let variants = Variant::ALL.map(Rendition::from);
        let made = images().make(fixture(name), &variants).await.unwrap();
        let made: Vec<_> = made.iter().map(|made| size(&decoded(made))).collect();
        assert_eq!(made, sizes, "{name}");
    }
}

#[tokio::test]
async fn renditions_have_the_requested_order() {
    let asked = [50, 400, 10, 1000, 200].map(|width| png().with_width(width).into());
    let made = images().make(fixture("plain-1000x700.jpg"), &asked).await.unwrap();
    let widths: Vec<_> = made.iter().map(|made| decoded(made).width()).collect();
    assert_eq!(widths, [50, 400, 10, 1000, 200]);
}

#[tokio::test]
async fn p12_a_letterbox_is_black_around_the_centre() {
    let asked = png().with_width(400).with_height(400).with_fit(Fit::Contain);
    let picture = decoded(&made(fixture("alpha.png"), asked).await.unwrap()).into_rgba8();
    assert_eq!(picture.dimensions(), (400, 400));
    // The image of 300 × 200 is not enlarged.
    for (x, y) in [(0, 0), (399, 399), (200, 99), (200, 300), (49, 200), (350, 200)] {
        assert_eq!(picture[(x, y)].0, [0, 0, 0, 255], "{x} {y}");
    }
    assert_eq!(picture[(50, 200)].0[3], 0, "the left edge shows through");
    assert_eq!(picture[(349, 200)].0[3], 255);
}

#[tokio::test]
async fn p12_a_letterbox_is_within_the_limits() {
    let huge = png().with_width(16_384).with_height(16_384).with_fit(Fit::Contain);
    let made = made(fixture("quad-noexif.jpg"), huge).await;
    assert_eq!(made.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn p12_an_image_wider_than_webp_is_scaled() {
    let limits = crate::generous().with_max_side(20_000);
    let images = tower_media::testkit::Images::new(limits);
    let asked =
        [Transform::new().into(), png().into(), Transform::new().with_format(Format::Jpeg).into()];
    let made = images.make(fixture("wide-17000x8.png"), &asked).await.unwrap();
    let sizes: Vec<_> = made.iter().map(|made| size(&decoded(made))).collect();
    assert_eq!(sizes, [(16_383, 8), (17_000, 8), (17_000, 8)]);
}

#[tokio::test]
async fn a_jpeg_decoded_at_reduced_size_looks_the_same() {
    // A JPEG is decoded at 1/2, 1/4 or 1/8 of its size.
    let large = decoded(&made(fixture("plain-2400x1600.jpg"), png()).await.unwrap());
    for width in [1200, 1199, 601, 600, 300, 299, 100] {
        let small =
            decoded(&made(fixture("plain-2400x1600.jpg"), png().with_width(width)).await.unwrap());
        let (width, height) = size(&small);
        let (small, large) = (small.to_rgb8(), large.to_rgb8());
        for (x, y) in [(1, 1), (5, 3), (3, 7), (7, 7), (4, 4)] {
            let at = |width, height| (width * x / 8, height * y / 8);
            let expected = large[at(2400, 1600)].0;
            crate::close(
                &small[at(width, height)].0,
                &expected,
                8,
                &format!("{width} at {x}, {y}"),
            );
        }
    }
}
