//! P1 to P6 for HEIC and AVIF, with the features `heic` and `avif`.

use tower_media::{
    ErrorKind, Rendition,
    media::{Fit, Format, Transform},
    testkit::Images,
};

use crate::{QUAD, close, fixture, generous, images, made, quarters, shown, size};

/// The four-color image, and an image of the same format with EXIF data.
const READ: &[(&str, &str)] = &[
    #[cfg(feature = "heic")]
    ("quad.heic", "exif-gps.heic"),
    #[cfg(feature = "avif")]
    ("quad.avif", "exif.avif"),
];

#[tokio::test]
async fn p04_heic_and_avif_are_images() {
    for (quad, with_exif) in READ {
        let (metadata, exif) = images().read(fixture(quad)).await.unwrap().unwrap();
        assert_eq!((metadata.width, metadata.height, metadata.has_alpha), (320, 240, false));
        assert_eq!((metadata.format.as_deref(), exif), (Some("heif"), None), "{quad}");
        let (_, exif) = images().read(fixture(with_exif)).await.unwrap().unwrap();
        assert!(exif.unwrap().camera_model.is_some(), "{with_exif}");

        let picture = shown(fixture(quad)).await;
        assert_eq!(size(&picture), (320, 240), "{quad}");
        for (ours, expected) in quarters(&picture).iter().zip(&QUAD) {
            close(ours, expected, 6, quad);
        }
        let small = Transform::new().with_width(50).with_height(50).with_fit(Fit::Cover);
        let small = made(fixture(quad), small).await.unwrap();
        assert!(small.starts_with(b"RIFF"), "{quad}");
    }
}

#[tokio::test]
async fn p02_heic_and_avif_are_within_the_limits() {
    for (quad, _) in READ {
        for limits in [
            generous().with_max_pixels(320 * 240 - 1),
            generous().with_max_side(319),
            generous().with_max_memory(100_000),
        ] {
            let images = Images::new(limits);
            let refused = images.make(fixture(quad), &[Rendition::png(64)]).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Failed, "{quad}");
        }
    }
}

#[tokio::test]
async fn p05_a_truncated_heic_or_avif_is_an_error() {
    for (quad, _) in READ {
        let whole = fixture(quad);
        for length in [40, 200, whole.len() / 2, whole.len() - 100] {
            let made = made(whole.slice(..length), Rendition::png(64)).await;
            assert_eq!(made.unwrap_err().kind(), ErrorKind::Failed, "{quad} cut at {length}");
        }
    }
}

#[cfg(feature = "avif")]
#[tokio::test]
async fn p12_avif_renditions_of_every_kind_of_image() {
    let avif = Transform::new().with_format(Format::Avif).with_width(160);
    for name in ["quad-noexif.jpg", "alpha.png", "gray.jpg"] {
        let rendition = made(fixture(name), avif).await.unwrap();
        assert_eq!(&rendition[4..12], b"ftypavif", "{name}");
        let (metadata, exif) = images().read(rendition.clone()).await.unwrap().unwrap();
        assert_eq!((metadata.width, exif), (160, None), "{name}");
        assert_eq!(metadata.has_alpha, name == "alpha.png", "{name}");
        let (ours, source) = (shown(rendition).await, shown(fixture(name)).await);
        let source = source.resize_exact(160, ours.height(), image::imageops::FilterType::Triangle);
        for (ours, expected) in quarters(&ours).iter().zip(&quarters(&source)) {
            close(ours, expected, 8, name);
        }
    }
}
