//! P2, P6 and P18 for HEIC and AVIF files that people reported in public. The right image is
//! `reference.png`, unless a test says otherwise.

use tower_media::{ErrorKind, Rendition, testkit::Images};

use crate::{decoded, fixture, generous, images, made, png, shown, size};

/// The maximum mean difference of a channel of a lossy file. Subsampled chroma accounts for about 2.
const MOST: f64 = 4.0;

/// The mean difference of the channel that differs most.
fn difference(ours: &image::DynamicImage, expected: &image::DynamicImage) -> f64 {
    assert_eq!(size(ours), size(expected));
    let (ours, expected) = (ours.to_rgb8(), expected.to_rgb8());
    let pixels = f64::from(ours.width()) * f64::from(ours.height());
    let mut sums = [0.0; 3];
    for (ours, expected) in ours.pixels().zip(expected.pixels()) {
        for (sum, (a, b)) in sums.iter_mut().zip(ours.0.iter().zip(expected.0)) {
            *sum += f64::from(a.abs_diff(b));
        }
    }
    sums.into_iter().fold(0.0, f64::max) / pixels
}

async fn is_like_the_reference(name: &str) {
    let reference = decoded(&fixture("field/reference.png"));
    let (metadata, _) = images().read(fixture(name)).await.unwrap().unwrap();
    assert_eq!((metadata.width, metadata.height), (320, 240), "{name}");
    let off = difference(&shown(fixture(name)).await, &reference);
    assert!(off < MOST, "{name} is {off} from the reference");
}

#[cfg(feature = "heic")]
#[tokio::test]
async fn p06_heic_without_nclx_has_the_colors_of_its_stream() {
    for name in ["h_limited_no_colr.heic", "h_full_no_colr.heic", "h_limited_nclx.heic"] {
        is_like_the_reference(&format!("field/{name}")).await;
    }
}

#[cfg(feature = "heic")]
#[tokio::test]
async fn p04_heic_is_identified_by_each_of_its_brands() {
    is_like_the_reference("field/brand-mif1-heix.heic").await;
    let whole = fixture("field/brand-mif1-heix.heic");
    for brand in ["heic", "heix", "heim", "heis", "hevc", "hevx", "msf1"] {
        let mut file = whole.to_vec();
        file[8..12].copy_from_slice(brand.as_bytes());
        let (metadata, _) = images().read(file.clone()).await.unwrap().unwrap();
        assert_eq!(metadata.format.as_deref(), Some("heif"), "{brand}");
        assert_eq!(size(&shown(file).await), (320, 240), "{brand}");
    }
}

#[cfg(feature = "avif")]
#[tokio::test]
async fn p06_avif_is_mirrored_as_its_writers_mean() {
    for orientation in [2, 4, 5, 7] {
        is_like_the_reference(&format!("field/mirror-{orientation}.avif")).await;
    }
}

/// The files of `heif/`, each with the right image beside it.
#[tokio::test]
async fn p06_derived_items_show_the_right_image() {
    for name in [
        #[cfg(feature = "heic")]
        "iden.heic",
        #[cfg(feature = "heic")]
        "iden-rot.heic",
        #[cfg(feature = "heic")]
        "clap-rot.heic",
        #[cfg(feature = "heic")]
        "grid-orient-7.heic",
        #[cfg(feature = "heic")]
        "yuv422.heic",
        #[cfg(feature = "avif")]
        "iden.avif",
        #[cfg(feature = "avif")]
        "alpha-grid-per-tile.avif",
        #[cfg(feature = "avif")]
        "alpha-grid-grid.avif",
        #[cfg(feature = "avif")]
        "mono-lim.avif",
    ] {
        let expected = decoded(&fixture(&format!("heif/{name}.right.png")));
        let ours = shown(fixture(&format!("heif/{name}"))).await;
        assert_eq!(ours.color().has_alpha(), expected.color().has_alpha(), "{name}");
        if expected.color().has_alpha() {
            let alpha = |picture: &image::DynamicImage| {
                picture.to_rgba8().pixels().map(|pixel| f64::from(pixel[3])).collect::<Vec<_>>()
            };
            let (ours, expected) = (alpha(&ours), alpha(&expected));
            let off: f64 = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum();
            assert!(off / (ours.len() as f64) < MOST, "the alpha channel of {name}");
        } else {
            let off = difference(&ours, &expected);
            assert!(off < MOST, "{name} is {off} from what is right");
        }
    }
}

#[cfg(feature = "heic")]
#[tokio::test]
async fn p02_a_photograph_in_tiles_takes_little_memory() {
    let file = fixture("field/h_15mp.heic");
    let (metadata, _) = images().read(file.clone()).await.unwrap().unwrap();
    assert_eq!((metadata.width, metadata.height), (4800, 3200));
    assert_eq!(size(&decoded(&made(file.clone(), Rendition::png(320)).await.unwrap())), (320, 213));
    // With less memory than its pixels take, it is refused before decoding.
    let small = Images::new(generous().with_max_memory(4800 * 3200 * 3 - 1));
    let refused = small.make(file, &[png().into()]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Failed);
}
