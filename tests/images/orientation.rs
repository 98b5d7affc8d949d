//! P6: renditions are upright.

use image::{DynamicImage, imageops};
use tower_media::media::{Fit, Format, Transform, Variant};

use crate::{
    QUAD, close, decoded, fixture, images, made,
    made::{Container, exif, quad},
    quarters, shown, size,
};

/// Returns the image as a camera with this orientation stores it.
fn stored(upright: &DynamicImage, orientation: u16) -> DynamicImage {
    match orientation {
        1 => upright.clone(),
        2 => upright.fliph(),
        3 => upright.rotate180(),
        4 => upright.flipv(),
        5 => upright.rotate90().fliph(),
        6 => upright.rotate270(),
        7 => upright.rotate270().fliph(),
        8 => upright.rotate90(),
        _ => unreachable!(),
    }
}

#[tokio::test]
async fn p06_all_orientations_give_equal_pixels() {
    let upright = quad(96, 64);
    let renditions = [
        Transform::new().with_format(Format::Png),
        Transform::new().with_format(Format::Png).with_width(47),
        Transform::new()
            .with_format(Format::Png)
            .with_width(30)
            .with_height(40)
            .with_fit(Fit::Cover),
        Transform::new()
            .with_format(Format::Png)
            .with_width(50)
            .with_height(40)
            .with_fit(Fit::Fill),
        Transform::new()
            .with_format(Format::Png)
            .with_width(50)
            .with_height(90)
            .with_fit(Fit::Contain),
    ]
    .map(Into::into);
    for container in [Container::Jpeg, Container::Png, Container::WebP] {
        let file = container.write(&upright, &exif(1));
        let expected = images().make(file, &renditions).await.unwrap();
        for orientation in 1..=8 {
            let what = format!("{container:?}, orientation {orientation}");
            let file = container.write(&stored(&upright, orientation), &exif(orientation));
            let (metadata, _) = images().read(file.clone()).await.unwrap().unwrap();
            assert_eq!((metadata.width, metadata.height), (96, 64), "{what}");
            let rendered = images().make(file, &renditions).await.unwrap();
            for (rendered, expected) in rendered.iter().zip(&expected) {
                let (ours, expected) = (decoded(rendered), decoded(expected));
                assert_eq!(size(&ours), size(&expected), "{what}");
                close(ours.as_bytes(), expected.as_bytes(), 6, &what);
            }
        }
    }
}

#[tokio::test]
async fn p06_rotated_photographs_are_upright() {
    // All have the same stored pixels, so their renditions differ.
    let expected = [
        ("orientation-3.jpg", (320, 200), [3, 2, 1, 0]),
        ("orientation-5.jpg", (200, 320), [0, 2, 1, 3]),
        ("orientation-6.jpg", (200, 320), [2, 0, 3, 1]),
        ("orientation-8.jpg", (200, 320), [1, 3, 0, 2]),
    ];
    for (name, expected_size, order) in expected {
        let picture = shown(fixture(name)).await;
        assert_eq!(size(&picture), expected_size, "{name}");
        let expected = order.map(|quarter: usize| QUAD[quarter]);
        close(quarters(&picture).as_flattened(), expected.as_flattened(), 12, name);
    }
}

#[tokio::test]
async fn p06_a_crop_is_centred_in_the_upright_image() {
    let upright = quad(100, 50);
    for orientation in 1..=8 {
        let file = Container::Png.write(&stored(&upright, orientation), &exif(orientation));
        let thumbnail = decoded(&made(file, Variant::Thumbnail).await.unwrap());
        assert_eq!(size(&thumbnail), (100, 50));
        let narrow = Transform::new().with_width(20).with_height(50).with_fit(Fit::Cover);
        let file = Container::Png.write(&stored(&upright, orientation), &exif(orientation));
        let crop = decoded(&made(file, narrow.with_format(Format::Png)).await.unwrap());
        let expected = imageops::crop_imm(&upright.to_rgb8(), 40, 0, 20, 50).to_image();
        close(crop.as_bytes(), &expected, 2, &format!("orientation {orientation}"));
    }
}

#[tokio::test]
async fn an_invalid_orientation_is_ignored() {
    for orientation in [0, 9, 77] {
        let file = Container::Jpeg.write(&quad(96, 64), &exif(orientation));
        let picture = shown(file).await;
        close(quarters(&picture).as_flattened(), QUAD.as_flattened(), 12, "as stored");
    }
}
