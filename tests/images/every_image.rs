//! The metadata of every image of the set.

use crate::{fixture, images};

#[tokio::test]
async fn metadata_has_size_format_and_transparency() {
    for (name, width, height, format, has_alpha) in [
        ("alpha.png", 300, 200, "png", true),
        ("animated.gif", 120, 80, "gif", true),
        ("animated.webp", 120, 80, "webp", false),
        ("cmyk-adobe.jpg", 320, 200, "jpeg", false),
        ("cmyk.jpg", 300, 200, "jpeg", false),
        ("gray.jpg", 300, 200, "jpeg", false),
        ("gray16.png", 64, 64, "png", false),
        ("icc-wide.jpg", 200, 150, "jpeg", false),
        ("lossless-alpha.webp", 150, 100, "webp", true),
        ("lossy.webp", 400, 300, "webp", false),
        ("one-pixel.png", 1, 1, "png", false),
        ("orientation-3.jpg", 320, 200, "jpeg", false),
        ("orientation-5.jpg", 200, 320, "jpeg", false),
        ("orientation-6.jpg", 200, 320, "jpeg", false),
        ("orientation-8.jpg", 200, 320, "jpeg", false),
        ("palette-trns.png", 256, 192, "png", true),
        ("palette.png", 256, 192, "png", false),
        ("plain-1000x700.jpg", 1000, 700, "jpeg", false),
        ("plain-1921x64.jpg", 1921, 64, "jpeg", false),
        ("plain-2400x1600.jpg", 2400, 1600, "jpeg", false),
        ("progressive-100x700.jpg", 100, 700, "jpeg", false),
        ("quad-noexif.jpg", 320, 200, "jpeg", false),
        ("static.gif", 90, 60, "gif", true),
        ("tiny-16x12.png", 16, 12, "png", false),
        ("trailing-garbage.jpg", 300, 200, "jpeg", false),
        // Only the header is read, and it is complete.
        ("truncated-half.jpg", 1000, 700, "jpeg", false),
        ("truncated.png", 300, 200, "png", true),
    ] {
        let (metadata, _) = images().read(fixture(name)).await.unwrap().unwrap();
        let said =
            (metadata.width, metadata.height, metadata.format.as_deref(), metadata.has_alpha);
        assert_eq!(said, (width, height, Some(format), has_alpha), "{name}");
    }
}
