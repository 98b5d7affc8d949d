//! P18: a truncated file shows the part that is there, and damaged metadata hides no pixels.

use bytes::Bytes;
use image::{DynamicImage, GenericImageView as _, RgbImage};
use tower_media::{ErrorKind, media::Transform};

use crate::{
    close, fixture, images, made,
    made::{Container, exif, quad},
    png, shown, size,
};

pub(crate) const GRAY: [u8; 4] = [128, 128, 128, 255];
pub(crate) const TRANSPARENT: [u8; 4] = [0; 4];

/// Returns the rows at the top that are shown. All others have to be missing.
#[track_caller]
fn shown_rows(ours: &DynamicImage, whole: &DynamicImage, missing: [u8; 4], what: &str) -> u32 {
    assert_eq!(size(ours), size(whole), "{what}");
    let (ours, whole) = (ours.to_rgba8(), whole.to_rgba8());
    let row = |image: &image::RgbaImage, y| -> Vec<[u8; 4]> {
        (0..image.width()).map(|x| image[(x, y)].0).collect()
    };
    let shown = (0..ours.height()).take_while(|y| row(&ours, *y) == row(&whole, *y)).count();
    for y in shown as u32..ours.height() {
        let is_missing = row(&ours, y).iter().all(|pixel| *pixel == missing);
        assert!(is_missing, "{what}: row {y} is neither there nor missing");
    }
    shown as u32
}

/// Cuts a file at many lengths, and returns the shown rows of the longest that lacks a row.
pub(crate) async fn rows_of_cuts(file: Bytes, missing: [u8; 4], what: &str) -> u32 {
    let whole = shown(file.clone()).await;
    let mut most = 0;
    for length in (0..file.len()).step_by((file.len() / 60).max(1)) {
        let what = format!("{what} cut at {length} of {}", file.len());
        match made(file.slice(..length), png()).await {
            Ok(cut) => {
                let rows = shown_rows(&crate::decoded(&cut), &whole, missing, &what);
                assert!(rows * 4 >= whole.height(), "{what}: {rows} rows");
                assert!(rows >= most, "{what}: {rows} rows, and a shorter file shows {most}");
                most = rows;
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::Failed | ErrorKind::Unsupported),
                    "{what}: {error:?}"
                );
                assert_eq!(most, 0, "{what}: a shorter file shows {most} rows");
            }
        }
    }
    most
}

/// An image whose rows take about as many bytes each.
pub(crate) fn noise(width: u32, height: u32) -> DynamicImage {
    let mut state = 1u32;
    RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 26) as u8;
        image::Rgb([x as u8 / 2 + grain, y as u8 / 2 + grain, grain * 2])
    })
    .into()
}

/// Asserts that two images are the same, without printing their pixels.
#[track_caller]
pub(crate) fn same(ours: &DynamicImage, right: &DynamicImage, what: &str) {
    assert!(ours == right, "{what}: the pixels differ");
}

/// Counts the rows at the top in which two images agree.
pub(crate) fn common_rows(ours: &DynamicImage, whole: &DynamicImage) -> u32 {
    let same = |y: &u32| (0..ours.width()).all(|x| ours.get_pixel(x, *y) == whole.get_pixel(x, *y));
    (0..ours.height()).take_while(same).count() as u32
}

#[tokio::test]
async fn p18_a_truncated_gif_shows_its_rows() {
    let noisy = Container::Gif.write(&noise(100, 100), &[]).into();
    let rows = rows_of_cuts(noisy, TRANSPARENT, "noise").await;
    assert!((90..=100).contains(&rows), "{rows}");
    rows_of_cuts(fixture("animated.gif"), TRANSPARENT, "animated.gif").await;
}

/// The offset behind the header and the color table of a GIF.
fn gif_blocks(gif: &[u8]) -> usize {
    13 + if gif[10] & 0x80 == 0 { 0 } else { 6 << (gif[10] & 7) }
}

/// The offset of the image descriptor of a GIF whose only extension is the graphic control.
fn gif_image(gif: &[u8]) -> usize {
    let start = gif_blocks(gif);
    start + gif[start..].iter().position(|byte| *byte == b',').unwrap()
}

#[tokio::test]
async fn p18_a_truncated_interlaced_gif_is_coarse() {
    let (width, height) = (64, 100);
    let upright = noise(width, height).to_rgb8();
    let passes = [(0, 8), (4, 8), (2, 4), (1, 2)];
    let rows: Vec<u32> =
        passes.iter().flat_map(|(first, step)| (*first..height).step_by(*step)).collect();
    let stored = RgbImage::from_fn(width, height, |x, y| upright[(x, rows[y as usize])]);
    let plain: Bytes = Container::Gif.write(&upright.into(), &[]).into();
    let whole = shown(plain).await;
    let mut gif = Container::Gif.write(&stored.into(), &[]);
    let image = gif_image(&gif);
    gif[image + 9] |= 0x40;
    let interlaced = shown(gif.clone()).await;
    // Each encoding has a palette of its own.
    for (ours, right) in interlaced.to_rgb8().pixels().zip(whole.to_rgb8().pixels()) {
        close(&ours.0, &right.0, 40, "interlaced");
    }
    // Behind the descriptor and the local color table.
    let data = image + 10 + if gif[image + 9] & 0x80 == 0 { 0 } else { 6 << (gif[image + 9] & 7) };
    let half = shown(gif[..data + (gif.len() - data) / 2].to_vec()).await;
    for y in 0..height {
        let stands_for = if y % 8 < 4 { y - y % 8 } else { y - y % 4 };
        let row = |image: &DynamicImage, y| (0..width).map(|x| image.get_pixel(x, y)).collect();
        let (ours, there): (Vec<_>, Vec<_>) = (row(&half, y), row(&interlaced, stands_for));
        assert!(ours == there || ours == row(&interlaced, y) || y % 4 > 1, "row {y}");
    }
    let start = shown(gif[..data + (gif.len() - data) / 12].to_vec()).await;
    assert_eq!(start.get_pixel(0, 0), interlaced.get_pixel(0, 0));
    assert_eq!(start.get_pixel(0, height - 1).0, TRANSPARENT);
}

#[tokio::test]
async fn p18_invalid_gif_extensions_are_skipped() {
    let gif = Container::Gif.write(&quad(32, 16), &[]);
    let whole = shown(gif.clone()).await;
    let start = gif_blocks(&gif);
    let profile = [&b"\x21\xFF\x0BICCRGBG1012\x08notanICC"[..], b"\x03xyz\0"].concat();
    for extension in [
        // Graphic control of other lengths than four.
        &b"\x21\xF9\x02\0\0\0"[..],
        b"\x21\xF9\0",
        b"\x21\xF9\x08\0\0\0\0\0\0\0\0\0",
        // A loop count without a number, and one that is too long.
        b"\x21\xFF\x0BNETSCAPE2.0\0",
        b"\x21\xFF\x0BNETSCAPE2.0\x09\x01\0\0\0\0\0\0\0\0\0",
        b"\x21\xFF\x03XMP\0",
        b"\x21\xFF\0",
        b"\x21\xFE\x05hello\0",
        b"\x21\x01\x0C\0\0\0\0\0\0\0\0\0\0\0\0\0",
        &profile,
        // Stray bytes.
        b"\0\0\0",
        b"\x07",
    ] {
        let damaged = [&gif[..start], extension, &gif[start..]].concat();
        let what = String::from_utf8_lossy(extension).into_owned();
        images().read(damaged.clone()).await.expect(&what).unwrap();
        same(&shown(damaged).await, &whole, &what);
    }
}

#[tokio::test]
async fn p18_a_gif_shows_the_rows_before_invalid_data() {
    let gif = Container::Gif.write(&noise(100, 100), &[]);
    let whole = shown(gif.clone()).await;
    let image = gif_image(&gif);
    let mut damaged = gif.clone();
    // The sub-blocks end here.
    let length = gif.len();
    damaged.truncate(image + (length - image) / 2);
    damaged.extend([0, 0x3B]);
    let rows = common_rows(&shown(damaged).await, &whole);
    assert!((25..80).contains(&rows), "{rows}");
}

async fn lossy(image: &DynamicImage) -> Vec<u8> {
    let source = Container::Png.write(image, &[]);
    made(source, Transform::new().with_quality(90)).await.unwrap().to_vec()
}

#[tokio::test]
async fn p18_a_truncated_webp_shows_its_rows() {
    let image = noise(160, 160);
    for (what, file) in
        [("lossy", lossy(&image).await), ("lossless", Container::WebP.write(&image, &[]))]
    {
        let whole = shown(file.clone()).await;
        let mut most = 0;
        for eighths in 1..8 {
            let length = file.len() * eighths / 8;
            match made(file[..length].to_vec(), png()).await {
                Ok(cut) => {
                    let cut = crate::decoded(&cut);
                    assert_eq!(size(&cut), size(&whole));
                    let rows = common_rows(&cut, &whole);
                    assert!(rows >= most, "{what} {eighths}/8: {rows} rows, and {most} before");
                    assert!(rows * 100 / 160 + 25 > eighths as u32 * 100 / 8, "{what}: {rows}");
                    most = rows;
                    let bottom = cut.get_pixel(80, 159);
                    assert_eq!(bottom.0, GRAY, "{what} {eighths}/8");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Failed);
                    assert!(eighths < 4, "{what} {eighths}/8 is refused: {error:?}");
                }
            }
        }
        assert!(most > 110, "{what}: {most}");
    }
}

#[tokio::test]
async fn p18_a_truncated_webp_of_other_kinds_is_shown() {
    for name in ["animated.webp", "lossless-alpha.webp", "lossy.webp", "exif.webp"] {
        let file = fixture(name);
        let expected = size(&shown(file.clone()).await);
        let mut count = 0;
        for tenths in 1..10 {
            match made(file.slice(..file.len() * tenths / 10), png()).await {
                Ok(cut) => {
                    assert_eq!(size(&crate::decoded(&cut)), expected, "{name}");
                    count += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Failed, "{name}"),
            }
        }
        assert!(count > 0, "{name} is shown at no length");
    }
}

/// A chunk of RIFF.
fn riff_chunk(chunk_type: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = [&chunk_type[..], &(data.len() as u32).to_le_bytes(), data].concat();
    chunk.resize(chunk.len() + data.len() % 2, 0);
    chunk
}

#[tokio::test]
async fn p18_damaged_webp_metadata_hides_no_pixels() {
    let image = quad(64, 48);
    let simple = lossy(&image).await;
    let whole = shown(simple.clone()).await;
    let coded = &simple[12..];
    let extended = |flags: u8, before: &[Vec<u8>], after: &[Vec<u8>], riff_size: u32| {
        let header = riff_chunk(b"VP8X", &[flags, 0, 0, 0, 63, 0, 0, 47, 0, 0]);
        let size = riff_size.to_le_bytes();
        [b"RIFF", &size[..], b"WEBP", &header, &before.concat(), coded, &after.concat()].concat()
    };
    let icc = |data: &[u8]| vec![riff_chunk(b"ICCP", data)];
    let exif_of = |data: &[u8]| vec![riff_chunk(b"EXIF", data)];
    let none = Vec::new();
    let mut endless = riff_chunk(b"EXIF", b"MM");
    endless[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    for (what, file) in [
        ("a size of 0", extended(0, &none, &none, 0)),
        ("a size that is too large", extended(0, &none, &none, u32::MAX)),
        ("no profile", extended(0x20, &none, &none, 1_000)),
        ("an empty profile", extended(0x20, &icc(b""), &none, 1_000)),
        ("an invalid profile", extended(0x20, &icc(&[7; 301]), &none, 1_000)),
        ("a large profile", extended(0x20, &icc(&vec![0; 5 << 20]), &none, 1_000)),
        ("no EXIF", extended(0x08, &none, &none, 1_000)),
        ("invalid EXIF", extended(0x08, &none, &exif_of(b"II*\0garbage"), 1_000)),
        ("EXIF that is too long", extended(0x08, &none, &[endless], 1_000)),
        ("no XMP", extended(0x04, &none, &none, 1_000)),
        ("no alpha", extended(0x10, &none, &none, 1_000)),
        ("unknown chunks", extended(0, &[riff_chunk(b"abcd", b"123")], &none, 1_000)),
        ("all flags but animation", extended(0xFD, &none, &none, 1_000)),
        ("bytes behind it", [&simple[..], b"trailing bytes"].concat()),
    ] {
        let (metadata, _) = images().read(file.clone()).await.expect(what).unwrap();
        assert_eq!((metadata.width, metadata.height), (64, 48), "{what}");
        same(&shown(file).await, &whole, what);
    }
    let upright = extended(0x08, &none, &exif_of(&exif(6)), 1_000);
    assert_eq!(size(&shown(upright).await), (48, 64), "valid EXIF is heeded");
}

#[tokio::test]
async fn p18_damaged_jpeg_segments_hide_no_pixels() {
    let file = Container::Jpeg.write(&quad(64, 48), &exif(1));
    let whole = shown(file.clone()).await;
    let segment = |marker: u8, data: &[u8]| {
        [&[0xFF, marker], &(data.len() as u16 + 2).to_be_bytes()[..], data].concat()
    };
    for (what, marker, data) in [
        ("an empty APP0", 0xE0, &b""[..]),
        ("an empty APP1", 0xE1, b""),
        ("EXIF without data", 0xE1, b"Exif\0\0"),
        ("EXIF of garbage", 0xE1, b"Exif\0\0garbage and more garbage"),
        ("EXIF that points beyond its end", 0xE1, b"Exif\0\0MM\0*\xFF\xFF\xFF\xFF"),
        ("EXIF that refers to itself", 0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\x08"),
        ("an empty APP2", 0xE2, b""),
        ("a profile without data", 0xE2, b"ICC_PROFILE\0\x01\x01"),
        ("a profile of garbage", 0xE2, b"ICC_PROFILE\0\x01\x01garbage"),
        ("a profile that lacks a part", 0xE2, b"ICC_PROFILE\0\x01\x02garbage"),
        ("a profile of no parts", 0xE2, b"ICC_PROFILE\0\x01\0garbage"),
        ("a profile part 0", 0xE2, b"ICC_PROFILE\0\0\x02garbage"),
        ("MPF of garbage", 0xE2, b"MPF\0garbage"),
        ("MPF that points beyond the file", 0xE2, b"MPF\0MM\0*\xFF\xFF\xFF\xF0"),
        ("an APP13 of garbage", 0xED, b"Photoshop 3.0\08BIM\xFF\xFF"),
        ("a short Adobe segment", 0xEE, b"Adobe"),
        ("a comment", 0xFE, b"\xFF\xD9\xFF\xD8"),
    ] {
        let damaged = [&file[..2], &segment(marker, data), &file[2..]].concat();
        images().read(damaged.clone()).await.expect(what).unwrap();
        same(&shown(damaged).await, &whole, what);
    }
    // The second of two EXIF segments and of two profiles counts for nothing.
    let twice = [&file[..2], &segment(0xE1, &exif(6)), &file[2..]].concat();
    same(&shown(twice).await, &whole, "EXIF without a prefix");
}
