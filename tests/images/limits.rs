//! P1 and P2: limits on the cost of an image.

use std::{process::Command, time::Duration};

use tower_media::{
    Error, ErrorKind, Rendition, backend::ImageLimits, media::Variant, testkit::Images,
};

use crate::{
    fixture, generous, made,
    made::{chunk, png_header},
};

/// Files of a few bytes that claim the largest size of their format.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let png = |width, height, depth, colour| {
        let mut bytes = png_header(width, height, depth, colour);
        bytes.extend(chunk(b"IDAT", &[0x78, 0x9C, 0x63, 0, 1]));
        bytes.extend(chunk(b"IEND", &[]));
        bytes
    };
    let jpeg = |marker: u8, components: u8| {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, marker, 0, 8 + 3 * components, 8];
        bytes.extend([0xFF, 0xFF, 0xFF, 0xFF, components]);
        bytes.extend((1..=components).flat_map(|id| [id, 0x11, 0]));
        bytes.extend([0xFF, 0xDA, 0, 6 + 2 * components, components]);
        bytes.extend((1..=components).flat_map(|id| [id, 0]));
        bytes.extend([0, 63, 0, 0, 0]);
        bytes
    };
    vec![
        ("PNG of 60,000 squared", png(60_000, 60_000, 8, 2)),
        ("PNG of 2^31 - 1 a side", png(i32::MAX as u32, i32::MAX as u32, 16, 6)),
        ("PNG that is long", png(3_000_000, 16, 8, 6)),
        ("PNG within the pixels, of 392 MB", png(7_000, 7_000, 16, 6)),
        ("JPEG of 65,535 squared", jpeg(0xC0, 3)),
        ("JPEG in layers", jpeg(0xC2, 4)),
        ("GIF of 65,535 squared", b"GIF89a\xFF\xFF\xFF\xFF\x80\0\0\xFF\0\0\0\0\0,\0\0\0\0\xFF\xFF\xFF\xFF\0\x02\x02D\x01\0;".to_vec()),
        ("WebP with the largest canvas", b"RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0\x10\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF".to_vec()),
        ("WebP, lossless", b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2F\xFF\xFF\xFF\x0F\0".to_vec()),
        ("WebP, lossy", b"RIFF\x16\0\0\0WEBPVP8 \x0A\0\0\0\x10\0\0\x9D\x01\x2A\xFF\x3F\xFF\x3F".to_vec()),
        ("PNG of 289 megapixels", fixture("bomb-17000x17000.png").to_vec()),
    ]
}

#[tokio::test]
async fn p01_bombs_are_refused_by_their_headers() {
    for (what, bomb) in bombs() {
        let error: Error = made(bomb, Rendition::png(64)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{what}: {error:?}");
    }
}

/// Runs the test above in a process with at most half a gigabyte of memory, which would abort if it
/// allocated the pixels of a bomb.
#[cfg(target_os = "linux")]
#[test]
fn p01_no_pixels_are_allocated_for_a_bomb() {
    let this = std::env::current_exe().unwrap();
    let child = Command::new("sh")
        .args(["-c", "ulimit -v 524288; exec \"$0\" \"$@\""])
        .arg(this)
        .args(["--exact", "limits::p01_bombs_are_refused_by_their_headers", "--test-threads=1"])
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{child:?}");
}

#[tokio::test]
async fn p02_each_limit_is_enforced() {
    let picture = || fixture("plain-1000x700.jpg");
    let limits = generous;
    for (what, limits, refused) in [
        ("pixels", limits().with_max_pixels(700_000), None),
        ("fewer pixels", limits().with_max_pixels(699_999), Some(ErrorKind::Failed)),
        ("side", limits().with_max_side(1_000), None),
        ("a shorter side", limits().with_max_side(999), Some(ErrorKind::Failed)),
        ("memory", limits().with_max_memory(4 << 20), None),
        ("less memory", limits().with_max_memory(2 << 20), Some(ErrorKind::InvalidInput)),
        ("no memory", limits().with_max_memory(1 << 10), Some(ErrorKind::Failed)),
    ] {
        let made = Images::new(limits).make(picture(), &[Rendition::png(1_000)]).await;
        assert_eq!(made.err().map(|error| error.kind()), refused, "{what}");
    }
}

#[tokio::test]
async fn p02_a_jpeg_needs_little_memory_for_a_thumbnail() {
    let images = Images::new(generous().with_max_memory(1 << 20));
    let picture = fixture("plain-2400x1600.jpg");
    images.make(picture.clone(), &[Variant::Thumbnail.into()]).await.unwrap();
    let large = images.make(picture, &[Variant::Large.into()]).await;
    assert_eq!(large.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn p02_work_ends_at_the_deadline() {
    let images = Images::new(ImageLimits::new().with_timeout(Duration::ZERO));
    let made = images.make(fixture("plain-1000x700.jpg"), &[Rendition::png(64)]).await;
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Timeout);
    let read = images.read(fixture("plain-1000x700.jpg")).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn p02_concurrent_images_wait_for_the_pixel_budget() {
    let limits = generous().with_pixel_budget(1_000_000).with_max_waiting(64);
    let images = Images::new(limits);
    let asked = [Variant::Thumbnail.into()];
    let all = (0..32).map(|_| images.make(fixture("plain-1000x700.jpg"), &asked));
    for made in futures_util::future::join_all(all).await {
        made.unwrap();
    }
}
