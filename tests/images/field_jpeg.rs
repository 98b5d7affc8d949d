//! P18: damaged JPEG files are shown as libjpeg and browsers show them.

use bytes::Bytes;
use image::DynamicImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use tower_media::{ErrorKind, Rendition};

use crate::{QUAD, close, images, made, made::quad, png, quarters, shown, size};

/// Files with faults that people reported in public. All show the image of `reference.png`.
const FIELD: &[&str] = &[
    "garbage_after_app0.jpg",
    "garbage_before_sof_00.jpg",
    "noeoi.jpg",
    "noeoi_prog.jpg",
    "pdf_tail_noeoi.jpg",
    "reference.jpg",
    "rst_missing_one.jpg",
    "rst_wrong_number.jpg",
];

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Baseline,
    /// With a restart marker after each row of blocks.
    Restarts,
    Progressive,
}

impl Coding {
    const ALL: [Self; 3] = [Self::Baseline, Self::Restarts, Self::Progressive];

    fn write(self, picture: &DynamicImage) -> Vec<u8> {
        let pixels = picture.to_rgb8();
        let (width, height) = pixels.dimensions();
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 95);
        encoder.set_sampling_factor(SamplingFactor::F_1_1);
        match self {
            Self::Baseline => {}
            Self::Restarts => encoder.set_restart_interval((width / 8) as u16),
            Self::Progressive => encoder.set_progressive(true),
        }
        encoder.encode(&pixels, width as u16, height as u16, ColorType::Rgb).unwrap();
        bytes
    }

    fn quad(self) -> Vec<u8> {
        self.write(&quad(WIDTH, HEIGHT))
    }
}

/// The range of a segment, or of the data of a scan.
struct Part {
    marker: Option<u8>,
    start: usize,
    end: usize,
}

/// Returns the parts of a valid file between its start and end markers.
fn parts(jpeg: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut at = 2;
    while jpeg[at + 1] != 0xD9 {
        let marker = jpeg[at + 1];
        let length = u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]);
        let end = at + 2 + usize::from(length);
        parts.push(Part { marker: Some(marker), start: at, end });
        at = end;
        if marker == 0xDA {
            let inside = |pair: &[u8]| pair[0] != 0xFF || matches!(pair[1], 0 | 0xD0..=0xD7);
            let length = jpeg[at..].windows(2).take_while(|pair| inside(pair)).count();
            parts.push(Part { marker: None, start: at, end: at + length });
            at += length;
        }
    }
    parts
}

/// Returns the range of the data of the first scan.
fn first_scan(jpeg: &[u8]) -> Part {
    parts(jpeg).into_iter().find(|part| part.marker.is_none()).unwrap()
}

/// Returns the offsets of the restart markers.
fn restarts(jpeg: &[u8]) -> Vec<usize> {
    let scan = first_scan(jpeg);
    let is_one = |at: &usize| jpeg[*at] == 0xFF && (0xD0..=0xD7).contains(&jpeg[at + 1]);
    (scan.start..scan.end).filter(is_one).collect()
}

fn with(jpeg: &[u8], at: usize, more: &[u8]) -> Bytes {
    [&jpeg[..at], more, &jpeg[at..]].concat().into()
}

/// The mean difference of the channel that differs most.
fn difference(ours: &DynamicImage, expected: &DynamicImage) -> f64 {
    let (ours, expected) = (ours.to_rgb8(), expected.to_rgb8());
    assert_eq!(ours.dimensions(), expected.dimensions());
    let mut sums = [0u64; 3];
    for (a, b) in ours.pixels().zip(expected.pixels()) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.0.iter().zip(&b.0)) {
            *sum += u64::from(a.abs_diff(*b));
        }
    }
    let pixels = f64::from(ours.width()) * f64::from(ours.height());
    sums.into_iter().max().unwrap_or(0) as f64 / pixels
}

#[track_caller]
fn alike(ours: &DynamicImage, expected: &DynamicImage, most: f64, what: &str) {
    let difference = difference(ours, expected);
    assert!(difference <= most, "{what}: {difference:.2} from what it should be");
}

fn field(name: &str) -> Bytes {
    crate::fixture(&format!("field/{name}"))
}

#[tokio::test]
async fn p18_field_faults_show_the_reference_image() {
    let expected = shown(field("reference.png")).await;
    for &name in FIELD {
        let (metadata, _) = images().read(field(name)).await.unwrap().unwrap();
        assert_eq!(metadata.format.as_deref(), Some("jpeg"), "{name}");
        assert_eq!((metadata.width, metadata.height), (WIDTH, HEIGHT), "{name}");
        // One strip of the image is lost with the marker, in libjpeg as well.
        let most = if name.starts_with("rst_missing") { 6.0 } else { 3.0 };
        alike(&shown(field(name)).await, &expected, most, name);
    }
}

#[tokio::test]
async fn p18_bytes_between_segments_are_skipped() {
    for coding in Coding::ALL {
        let jpeg = coding.quad();
        let expected = shown(jpeg.clone()).await;
        // The magic bytes of a JPEG include the first marker, so it has to stay in place.
        for part in parts(&jpeg).iter().skip(1).filter(|part| part.marker.is_some()) {
            for stray in [&b"\0"[..], b"\n\r", b"\xFF\0", b"\xFF\xFF", &[7; 100], &[0; 1_000]] {
                let what = format!("{coding:?}, {} bytes at {}", stray.len(), part.start);
                let ours = shown(with(&jpeg, part.start, stray)).await;
                // Behind a scan they are excess data of the scan.
                alike(&ours, &expected, 0.5, &what);
            }
        }
    }
}

#[tokio::test]
async fn p18_decoding_resumes_after_a_wrong_restart_marker() {
    let jpeg = Coding::Restarts.quad();
    let expected = shown(jpeg.clone()).await;
    let restarts = restarts(&jpeg);
    assert_eq!(restarts.len() as u32, HEIGHT / 8 - 1);
    for at in restarts {
        let lost = [&jpeg[..at], &jpeg[at + 2..]].concat();
        let twice = with(&jpeg, at, &jpeg[at..at + 2]).to_vec();
        let mut other = jpeg.clone();
        other[at + 1] = 0xD0 | ((other[at + 1] + 3) & 7);
        for (what, jpeg) in [("lost", lost), ("twice", twice), ("another", other)] {
            // One or two of thirty rows of blocks may show the colors of another.
            alike(&shown(jpeg).await, &expected, 16.0, &format!("{what} at {at}"));
        }
    }
}

#[tokio::test]
async fn p18_a_missing_end_marker_is_ignored() {
    for coding in Coding::ALL {
        let jpeg = coding.quad();
        let expected = shown(jpeg.clone()).await;
        let body = &jpeg[..jpeg.len() - 2];
        for tail in [&b""[..], b"\xFF", b"\r\nendstream\r\nendobj\r\n", &[0; 600]] {
            let ours = shown([body, tail].concat()).await;
            alike(&ours, &expected, 0.5, &format!("{coding:?}, {} bytes instead", tail.len()));
        }
    }
    // A complete image in the gray of missing rows.
    let grey = DynamicImage::from(image::RgbImage::from_pixel(64, 64, image::Rgb([128; 3])));
    for coding in Coding::ALL {
        let mut jpeg = coding.write(&grey);
        jpeg.truncate(jpeg.len() - 2);
        let ours = shown(jpeg).await;
        alike(&ours, &grey, 1.0, &format!("{coding:?}, grey"));
    }
}

#[tokio::test]
async fn p18_a_truncated_jpeg_shows_its_rows() {
    for coding in Coding::ALL {
        let jpeg = coding.quad();
        let scan = first_scan(&jpeg);
        let cut = |share: f64| {
            Bytes::from(jpeg.clone())
                .slice(..scan.start + ((scan.end - scan.start) as f64 * share) as usize)
        };
        let ours = shown(cut(0.75)).await;
        assert_eq!(size(&ours), (WIDTH, HEIGHT));
        // The first scan of a progressive image has no color here.
        if coding != Coding::Progressive {
            close(quarters(&ours)[..2].as_flattened(), QUAD[..2].as_flattened(), 24, "the top");
        }
        let bottom = ours.to_rgb8()[(WIDTH / 2, HEIGHT - 1)].0;
        close(&bottom, &[128; 3], 2, "missing rows are gray");
        // Two rows of blocks are too few.
        let error = made(cut(0.05), png()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{coding:?}");
    }
}

#[tokio::test]
async fn p18_a_stray_marker_in_a_scan_is_ignored() {
    let jpeg = Coding::Restarts.quad();
    let scan = first_scan(&jpeg);
    let middle = (scan.start + scan.end) / 2;
    for marker in [0x01, 0xD9, 0xE5, 0xFE] {
        let ours = shown(with(&jpeg, middle, &[0xFF, marker])).await;
        assert_eq!(size(&ours), (WIDTH, HEIGHT), "{marker:02x}");
        close(&quarters(&ours)[0], &QUAD[0], 24, "what is before it");
    }
}

#[tokio::test]
async fn p18_unsupported_kinds_of_jpeg_are_refused() {
    let jpeg = Coding::Baseline.quad();
    let frame = parts(&jpeg).into_iter().find(|part| part.marker == Some(0xC0)).unwrap().start;
    let other = |at: usize, value: u8| {
        let mut bytes = jpeg.clone();
        bytes[frame + at] = value;
        bytes
    };
    for (what, jpeg) in [
        ("lossless", other(1, 0xC3)),
        ("hierarchical", other(1, 0xC5)),
        ("arithmetic", other(1, 0xC9)),
        ("twelve bits", other(4, 12)),
        ("five components", other(9, 5)),
        ("a factor of zero", other(11, 0x10)),
    ] {
        let read = images().read(jpeg.clone()).await.unwrap_err();
        assert_eq!(read.kind(), ErrorKind::Failed, "{what}");
        let made = made(jpeg, Rendition::png(64)).await.unwrap_err();
        assert_eq!(made.kind(), ErrorKind::Failed, "{what}");
    }
}

#[tokio::test]
async fn p02_excessive_scans_are_refused() {
    // A scan takes ten bytes, and visits the whole image.
    let mut jpeg = Coding::Progressive.quad();
    let first = parts(&jpeg).into_iter().find(|part| part.marker == Some(0xDA)).unwrap();
    let header = jpeg[first.start..first.end].to_vec();
    jpeg.truncate(jpeg.len() - 2);
    jpeg.extend(header.repeat(2_000));
    let error = made(jpeg, png()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
}
