//! P4 and P5: files that are not images have no renditions.

use bytes::Bytes;
use tower_media::{
    ErrorKind, Rendition,
    media::{Transform, Variant},
};

use crate::{fixture, images, made, panicked, shown, size};

/// Files that are not images, or of formats that are not decoded.
const NOT_IMAGES: &[&str] = &[
    #[cfg(not(feature = "heic"))]
    "broken.heic",
    "document.pdf",
    "drawing.svg",
    "empty.bin",
    #[cfg(not(feature = "heic"))]
    "exif-gps.heic",
    #[cfg(not(feature = "avif"))]
    "exif.avif",
    #[cfg(not(feature = "avif"))]
    "quad.avif",
    "quad.bmp",
    #[cfg(not(feature = "tiff"))]
    "quad.tiff",
    "text.txt",
];

const BROKEN: &[&str] = &[
    #[cfg(feature = "heic")]
    "broken.heic",
    "garbage.jpg",
    "truncated-header.jpg",
];

#[tokio::test]
async fn p04_other_files_have_no_renditions() {
    for name in NOT_IMAGES {
        assert_eq!(images().read(fixture(name)).await.unwrap(), None, "{name}");
        let made = made(fixture(name), Variant::Thumbnail).await;
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported, "{name}");
    }
}

#[tokio::test]
async fn p04_magic_bytes_alone_are_not_an_image() {
    for (bytes, kind) in [
        (&b"BM<html><script>alert(1)</script>"[..], ErrorKind::Unsupported),
        (b"GIF89a=1;/*", ErrorKind::Failed),
        (b"GIF89a=1;/*<script>alert(1)</script>*/=1", ErrorKind::Failed),
        (b"\xFF\xD8\xFF<script>alert(1)</script>", ErrorKind::Failed),
        (b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", ErrorKind::Failed),
        (b"RIFF\x1a\0\0\0WEBPVP8 <script>alert(1)", ErrorKind::Failed),
        (
            b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            ErrorKind::Unsupported,
        ),
        (b"<svg onload=alert(1)>", ErrorKind::Unsupported),
    ] {
        let made = made(bytes, Rendition::png(64)).await;
        assert_eq!(made.unwrap_err().kind(), kind, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn p04_the_bytes_decide_the_format() {
    for (name, format) in [("jpeg-named.png", "jpeg"), ("png-named.jpg", "png")] {
        let (metadata, _) = images().read(fixture(name)).await.unwrap().unwrap();
        assert_eq!(metadata.format.as_deref(), Some(format), "{name}");
        assert_eq!(size(&shown(fixture(name)).await), (200, 150));
    }
}

#[tokio::test]
async fn p05_the_original_never_replaces_a_rendition() {
    for name in BROKEN {
        for rendition in [Variant::Thumbnail.into(), Rendition::png(4_000), Transform::new().into()]
        {
            let made = made(fixture(name), rendition).await;
            assert_eq!(made.unwrap_err().kind(), ErrorKind::Failed, "{name}");
        }
    }
}

#[tokio::test]
async fn p05_a_truncated_file_is_an_error_or_of_its_size() {
    for name in
        ["plain-801x100.jpg", "progressive-100x700.jpg", "exif.png", "lossy.webp", "static.gif"]
    {
        let whole = fixture(name);
        let expected = size(&shown(whole.clone()).await);
        for cut in (0..whole.len()).step_by(whole.len() / 24) {
            match made(whole.slice(..cut), Rendition::png(4_000)).await {
                Ok(made) => {
                    assert_eq!(size(&crate::decoded(&made)), expected, "{name} cut at {cut}")
                }
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Failed | ErrorKind::Unsupported),
                    "{name} cut at {cut}: {error:?}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn p05_a_small_image_is_encoded_again() {
    for name in ["tiny-16x12.png", "exif.webp", "exif-gps.jpg"] {
        for variant in Variant::ALL {
            let original = fixture(name);
            let made = made(original.clone(), variant).await.unwrap();
            assert!(made.starts_with(b"RIFF") && made != original, "{name} {variant}");
        }
    }
}

#[tokio::test]
async fn p05_the_original_is_not_a_rendition() {
    let made = made(fixture("quad-noexif.jpg"), Rendition::Original).await;
    assert_eq!(made.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn p18_trailing_bytes_are_ignored() {
    assert_eq!(size(&shown(fixture("trailing-garbage.jpg")).await), (300, 200));
}

#[tokio::test]
async fn p03_random_bytes_cause_no_panic() {
    // Every 40th byte of a valid image is replaced.
    for name in
        ["exif-gps.jpg", "alpha.png", "lossy.webp", "animated.gif", "progressive-100x700.jpg"]
    {
        for seed in 1..40usize {
            let mut bytes = fixture(name).to_vec();
            for at in (seed..bytes.len()).step_by(40) {
                bytes[at] = bytes[at].wrapping_mul(31).wrapping_add(seed as u8);
            }
            let made = made(Bytes::from(bytes), Rendition::png(64)).await;
            if let Err(error) = made {
                let expected = matches!(error.kind(), ErrorKind::Failed | ErrorKind::Unsupported);
                assert!(expected, "{name} {seed}: {error:?}");
                assert!(!panicked(&error), "{name} {seed}: {error:?}");
            }
        }
    }
}
