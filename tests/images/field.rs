//! P6, P18 and P19 for PNG, GIF, WebP and EXIF, by files with faults that people reported in public. The
//! right image is `field/reference.png`, unless a test says otherwise.

use std::process::Command;

use bytes::Bytes;
use image::DynamicImage;
use serde_json::Value;

use crate::{
    close, decoded, fixture, images,
    made::{Container, MAKE, chunk, exif, quad},
    quarters, shown, size,
};

fn field(name: &str) -> Bytes {
    fixture(&format!("field/{name}"))
}

async fn read(bytes: impl Into<Bytes>) -> ((u32, u32), Value) {
    let (metadata, exif) = images().read(bytes).await.unwrap().unwrap();
    ((metadata.width, metadata.height), serde_json::to_value(exif).unwrap())
}

/// The difference of the channel that differs most, on average.
fn difference(ours: &DynamicImage, expected: &DynamicImage) -> f64 {
    let (ours, expected) = (ours.to_rgb8(), expected.to_rgb8());
    assert_eq!(ours.dimensions(), expected.dimensions());
    let mut sums = [0.0; 3];
    for (ours, expected) in ours.pixels().zip(expected.pixels()) {
        for (sum, (a, b)) in sums.iter_mut().zip(ours.0.iter().zip(expected.0)) {
            *sum += f64::from(a.abs_diff(b));
        }
    }
    let pixels = f64::from(ours.width()) * f64::from(ours.height());
    sums.into_iter().fold(0.0, f64::max) / pixels
}

/// Inserts a chunk behind the header of a PNG.
fn with_chunk(png: &[u8], chunk_type: &[u8; 4], data: &[u8]) -> Vec<u8> {
    const HEADER: usize = 33;
    [&png[..HEADER], &chunk(chunk_type, data), &png[HEADER..]].concat()
}

#[tokio::test]
async fn p18_png_without_its_end_chunk_is_shown() {
    let reference = shown(field("reference.png")).await;
    for name in ["noiend.png", "cut-in-iend.png"] {
        assert_eq!(read(field(name)).await.0, (320, 240), "{name}");
        assert_eq!(shown(field(name)).await, reference, "{name}");
    }
    for name in ["rgb8.png", "rgb8-adam7.png", "rgba16.png", "gray1-adam7.png"] {
        let (whole, expected) = (field(name), shown(field(name)).await);
        // The checksum of the last data chunk, and the end chunk.
        for cut in 1..=12 {
            let cut = whole.slice(..whole.len() - cut);
            assert_eq!(shown(cut.clone()).await, expected, "{name} of {} bytes", cut.len());
        }
    }
}

#[tokio::test]
async fn p18_interlaced_png_shows_the_same_pixels() {
    for name in ["rgb8", "rgba16", "gray1", "palette2"] {
        let interlaced = shown(field(&format!("{name}-adam7.png"))).await;
        let plain = shown(field(&format!("{name}.png"))).await;
        assert_eq!(interlaced, plain, "{name}");
        #[expect(clippy::disallowed_methods, reason = "our own fixture")]
        let expected = image::load_from_memory(&field(&format!("{name}.png"))).unwrap();
        let expected = expected.to_rgba8();
        for (ours, expected) in plain.to_rgba8().pixels().zip(expected.pixels()) {
            close(&ours.0, &expected.0, 1, name);
        }
    }
}

#[tokio::test]
async fn p18_exif_with_a_prefix_is_read() {
    let name = "exif-prefixed-6.webp";
    let (displayed, exif_of_file) = read(field(name)).await;
    assert_eq!(displayed, (320, 240));
    assert!(exif_of_file["cameraMake"].is_string(), "{exif_of_file}");
    assert!(exif_of_file["dateTaken"].is_string(), "{exif_of_file}");
    let off = difference(&shown(field(name)).await, &decoded(&field("reference.png")));
    assert!(off < 4.0, "{name} differs by {off}");
    // It has an orientation of 6 and no other field of the record.
    let name = "sharp_keepmeta.webp";
    let stored = crate::made(field(name), crate::png()).await.unwrap();
    assert_eq!(read(field(name)).await.0, size(&decoded(&stored)));
    #[expect(clippy::disallowed_methods, reason = "our own fixture")]
    let unrotated = image::load_from_memory(&field(name)).unwrap();
    assert_eq!(size(&decoded(&stored)), (unrotated.height(), unrotated.width()));

    for container in [Container::Jpeg, Container::Png, Container::WebP] {
        let prefixed = [&b"Exif\0\0"[..], &exif(6)].concat();
        let image = container.write(&quad(40, 20), &prefixed);
        let (displayed, exif) = read(image).await;
        assert_eq!(displayed, (20, 40), "{container:?}");
        assert_eq!(exif["cameraMake"], MAKE, "{container:?}");
    }
}

#[tokio::test]
async fn p18_gps_in_signed_rationals_is_read() {
    let (_, exif) = read(field("gps-srational.jpg")).await;
    let degrees = |name: &str| exif[name].as_str().unwrap().parse::<f64>().unwrap();
    assert!((degrees("gpsLatitude") - (10.0 + 20.5 / 60.0)).abs() < 1e-9, "{exif}");
    assert!((degrees("gpsLongitude") - (40.0 + 50.0 / 60.0)).abs() < 1e-9, "{exif}");
}

#[tokio::test]
async fn p18_gif_canvas_includes_its_first_frame() {
    for (name, expected) in [("zero_screen.gif", (60, 40)), ("frame_beyond_screen.gif", (150, 100))]
    {
        assert_eq!(read(field(name)).await.0, expected, "{name}");
        let image = shown(field(name)).await.into_rgba8();
        assert_eq!(image.dimensions(), expected, "{name}");
        assert_eq!(image[(expected.0 - 1, expected.1 - 1)].0, [255, 0, 0, 255], "{name}");
    }
    let beyond = shown(field("frame_beyond_screen.gif")).await.into_rgba8();
    assert_eq!(beyond[(0, 0)].0[3], 0, "outside of the frame it is transparent");
    assert_eq!(beyond[(50, 20)].0, [255, 0, 0, 255]);
}

#[tokio::test]
async fn p18_unknown_gif_extensions_are_skipped() {
    let gif = Container::Gif.write(&quad(32, 16), &[]);
    let expected = shown(gif.clone()).await;
    // Behind the header and the global color table.
    let start = 13 + if gif[10] & 0x80 == 0 { 0 } else { 6 << (gif[10] & 7) };
    for extension in [&b"\x21\x99\x03abc\0"[..], b"\x21\x00\0", b"\x21\xFF\x0BUnknown1.0!\x02ab\0"]
    {
        let gif = [&gif[..start], extension, &gif[start..]].concat();
        assert_eq!(shown(gif).await, expected, "{extension:?}");
    }
}

#[tokio::test]
async fn p06_png_color_spaces_are_converted_to_srgb() {
    let png = |rgb: [u8; 3]| {
        let image = image::RgbImage::from_pixel(8, 8, image::Rgb(rgb)).into();
        Container::Png.write(&image, &[])
    };
    let chromaticities = |values: [u32; 8]| values.map(u32::to_be_bytes).as_flattened().to_vec();
    let rec2020 = [31_270, 32_900, 70_800, 29_200, 17_000, 79_700, 13_100, 4_600];
    let srgb = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];
    for (what, rgb, chunks, expected) in [
        ("Display P3", [180, 120, 90], vec![(b"cICP", vec![12, 13, 0, 1])], [190, 117, 84]),
        ("BT.2020", [150, 120, 100], vec![(b"cICP", vec![9, 13, 0, 1])], [167, 116, 96]),
        ("sRGB", [150, 120, 100], vec![(b"cICP", vec![1, 13, 0, 1])], [150, 120, 100]),
        (
            "BT.2020 by cHRM",
            [150, 120, 100],
            vec![(b"cHRM", chromaticities(rec2020))],
            [167, 116, 96],
        ),
        ("sRGB by cHRM", [150, 120, 100], vec![(b"cHRM", chromaticities(srgb))], [150, 120, 100]),
        ("linear", [128; 3], vec![(b"gAMA", 100_000u32.to_be_bytes().to_vec())], [188; 3]),
        ("gamma 1.8", [128; 3], vec![(b"gAMA", 55_556u32.to_be_bytes().to_vec())], [146; 3]),
        (
            "gamma of sRGB",
            [150, 120, 100],
            vec![(b"gAMA", 45_455u32.to_be_bytes().to_vec())],
            [150, 120, 100],
        ),
        (
            "sRGB before cHRM",
            [150, 120, 100],
            vec![(b"cHRM", chromaticities(rec2020)), (b"sRGB", vec![0])],
            [150, 120, 100],
        ),
        ("nonsense", [150, 120, 100], vec![(b"cHRM", vec![0; 32])], [150, 120, 100]),
    ] {
        let file = chunks
            .iter()
            .fold(png(rgb), |png, (chunk_type, data)| with_chunk(&png, chunk_type, data));
        let ours = shown(file).await.into_rgb8()[(4, 4)].0;
        close(&ours, &expected, 2, what);
    }
}

const PEAK_OF: &str = "TOWER_MEDIA_PEAK_OF";

/// Prints the peak memory of reading and rendering one file, in a process of its own.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "started by p19_a_header_bomb_costs_what_a_small_image_costs"]
async fn peak_of_one_file() {
    let path = std::env::var(PEAK_OF).unwrap();
    let bytes = Bytes::from(std::fs::read(path).unwrap());
    for _ in 0..2 {
        let _ = images().read(bytes.clone()).await;
        let _ = images().make(bytes.clone(), &[crate::png().into()]).await;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("\npeak {}", peak.trim().trim_end_matches(" kB"));
}

/// The peak memory of reading and rendering a file, in bytes.
#[cfg(target_os = "linux")]
fn peak(file: &[u8]) -> u64 {
    let mut path = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut path, file).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "field::peak_of_one_file",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(PEAK_OF, path.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    let peak = output.lines().find_map(|line| line.strip_prefix("peak "));
    peak.unwrap_or_else(|| panic!("{child:?}")).parse::<u64>().unwrap() << 10
}

#[cfg(target_os = "linux")]
#[test]
fn p19_a_header_bomb_costs_what_a_small_image_costs() {
    const MOST: u64 = 16 << 20;
    let small = field("reference.png");
    let least = peak(&small);
    // 64 MB of zeros in zlib's format: the profile bomb's data, without its name and method.
    let bomb = field("iccp_bomb_250MB.png");
    let iccp = bomb.windows(4).position(|window| window == b"iCCP").unwrap();
    let length = u32::from_be_bytes(bomb[iccp - 4..iccp].try_into().unwrap()) as usize;
    let data = &bomb[iccp + 4..iccp + 4 + length];
    let name = data.iter().position(|byte| *byte == 0).unwrap();
    let zlib = &data[name + 2..];
    let exif = vec![0; 32 << 20];
    let webp = Container::WebP.write(&quad(320, 240), &exif);
    for (what, file, length) in [
        ("iCCP", bomb.to_vec(), 0),
        ("zTXt", with_chunk(&small, b"zTXt", &[b"Comment\0\0", zlib].concat()), 0),
        ("iTXt", with_chunk(&small, b"iTXt", &[b"Comment\0\x01\0\0\0", zlib].concat()), 0),
        (
            "tEXt",
            with_chunk(&small, b"tEXt", &[b"Comment\0", &vec![b'a'; 32 << 20][..]].concat()),
            32 << 20,
        ),
        ("eXIf in PNG", with_chunk(&small, b"eXIf", &exif), 32 << 20),
        ("EXIF in WebP", webp, 32 << 20),
    ] {
        // The child holds the file itself in memory.
        let more = peak(&file).saturating_sub(least + length);
        assert!(more < MOST, "{what} takes {more} bytes more than a small image");
    }
}

#[tokio::test]
async fn p19_a_png_with_a_profile_bomb_is_shown() {
    let image = shown(field("iccp_bomb_250MB.png")).await;
    assert_eq!(size(&image), (320, 240));
    for (ours, expected) in
        quarters(&image).iter().zip(quarters(&shown(field("reference.png")).await))
    {
        close(ours, &expected, 0, "the profile is ignored");
    }
}
