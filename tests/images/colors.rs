//! P6: colors are converted to sRGB with 8 bits.

use tower_media::media::{Format, Transform};

use crate::{GREEN, QUAD, RED, close, decoded, fixture, made, png, quarters, shown};

#[tokio::test]
async fn p06_cmyk_becomes_rgb() {
    // Without a profile the conversion is approximate.
    let picture = shown(fixture("cmyk-adobe.jpg")).await;
    close(quarters(&picture).as_flattened(), QUAD.as_flattened(), 24, "cmyk-adobe.jpg");
    assert!(shown(fixture("cmyk.jpg")).await.as_rgb8().is_some());
}

#[tokio::test]
async fn p06_a_palette_with_transparency_becomes_pixels() {
    let picture = shown(fixture("palette.png")).await;
    close(quarters(&picture).as_flattened(), QUAD.as_flattened(), 0, "palette.png");
    let picture = shown(fixture("palette-trns.png")).await.into_rgba8();
    let (width, height) = picture.dimensions();
    assert_eq!(picture[(width / 4, height / 4)].0, [RED[0], RED[1], RED[2], 255]);
    assert_eq!(picture[(width * 3 / 4, height / 4)].0, [GREEN[0], GREEN[1], GREEN[2], 255]);
    assert_eq!(picture[(width * 3 / 4, height * 3 / 4)].0[3], 0, "yellow is transparent");
}

#[tokio::test]
async fn p06_gray_and_16_bits_become_rgb_with_8() {
    for name in ["gray.jpg", "gray16.png"] {
        let picture = shown(fixture(name)).await;
        let pixels = picture.as_rgb8().unwrap_or_else(|| panic!("{name} is RGB"));
        assert!(
            pixels.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]),
            "{name}"
        );
        let spread =
            |of: fn(u8, u8) -> u8| pixels.pixels().map(|pixel| pixel[0]).reduce(of).unwrap();
        assert!(spread(u8::max) - spread(u8::min) > 200, "{name} has its whole range");
    }
}

#[tokio::test]
async fn p06_the_icc_profile_is_applied() {
    let plain = shown(fixture("quad-noexif.jpg")).await;
    let wide = shown(fixture("icc-wide.jpg")).await;
    // Green and red of a wider gamut are more saturated than the same numbers in sRGB.
    let [red, green, ..] = quarters(&wide);
    let [plain_red, plain_green, ..] = quarters(&plain);
    assert!(red[0] > plain_red[0] + 10, "{red:?} {plain_red:?}");
    assert!(green[0] < plain_green[0].saturating_sub(10), "{green:?} {plain_green:?}");
}

#[tokio::test]
async fn p12_alpha_is_kept_and_jpeg_blends_it_with_black() {
    let alpha = |picture: &image::RgbaImage| {
        picture.enumerate_pixels().map(|(_, _, p)| p[3]).collect::<Vec<_>>()
    };
    let original = shown(fixture("alpha.png")).await.into_rgba8();
    assert_eq!((alpha(&original).first(), alpha(&original).last()), (Some(&0), Some(&255)));
    let webp = decoded(&made(fixture("alpha.png"), Transform::new()).await.unwrap());
    close(&alpha(&webp.into_rgba8()), &alpha(&original), 2, "WebP");

    let jpeg = Transform::new().with_format(Format::Jpeg).with_quality(100);
    let jpeg = decoded(&made(fixture("alpha.png"), jpeg).await.unwrap()).into_rgb8();
    for (x, y) in [(2, 100), (150, 100), (297, 100)] {
        let [r, g, b, a] = original[(x, y)].0.map(u16::from);
        let expected = [r, g, b].map(|channel| (channel * a / 255) as u8);
        close(&jpeg[(x, y)].0, &expected, 8, "on black");
    }
}

#[tokio::test]
async fn p02_only_the_first_frame_is_decoded() {
    for (name, first) in [("animated.gif", [200, 0, 0]), ("animated.webp", [200, 0, 0])] {
        let picture = decoded(&made(fixture(name), png()).await.unwrap()).into_rgb8();
        close(&picture[(110, 70)].0, &first, 12, name);
    }
}
