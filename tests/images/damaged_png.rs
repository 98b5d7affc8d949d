//! P18: a truncated or damaged PNG shows the rows that are there, and damaged chunks hide no pixels.

use bytes::Bytes;
use image::GenericImageView as _;
use tower_media::ErrorKind;

use crate::{
    close,
    damaged::{GRAY, TRANSPARENT, common_rows, noise, rows_of_cuts, same},
    fixture, images, made,
    made::{Container, chunk, exif, quad},
    png, quarters, shown, size,
};

#[tokio::test]
async fn p18_a_truncated_png_shows_its_rows() {
    let noisy = Container::Png.write(&noise(100, 100), &[]).into();
    let rows = rows_of_cuts(noisy, GRAY, "noise").await;
    assert!((90..=100).contains(&rows), "{rows}");
    for (name, missing) in [
        ("field/reference.png", GRAY),
        ("field/rgb8.png", GRAY),
        ("field/rgba16.png", TRANSPARENT),
        ("field/gray1.png", GRAY),
        ("field/palette2.png", GRAY),
        ("alpha.png", TRANSPARENT),
        ("gray16.png", GRAY),
        ("palette-trns.png", TRANSPARENT),
    ] {
        rows_of_cuts(fixture(name), missing, name).await;
    }
}

#[tokio::test]
async fn p18_a_truncated_interlaced_png_is_coarse() {
    for name in ["field/rgb8-adam7.png", "field/rgba16-adam7.png"] {
        let file = fixture(name);
        let whole = shown(file.clone()).await;
        let mut count = 0;
        for length in file.len() / 8..file.len() {
            let Ok(cut) = made(file.slice(..length), png()).await else { continue };
            let cut = crate::decoded(&cut);
            assert_eq!(size(&cut), size(&whole));
            assert_eq!(cut.get_pixel(0, 0), whole.get_pixel(0, 0), "{name} cut at {length}");
            count += 1;
            if length > file.len() / 2 {
                // Each pixel is at most seven pixels from the one that stands for it.
                let (ours, right) = (quarters(&cut), quarters(&whole));
                close(ours.as_flattened(), right.as_flattened(), 64, name);
            }
        }
        assert!(count > file.len() / 2, "{name}: {count} cuts are shown");
    }
}

#[tokio::test]
async fn p18_a_png_of_long_runs_is_whole_without_its_end() {
    // The last bytes of its data stand for many rows.
    let file: Bytes = Container::Png.write(&quad(2_000, 600), &[]).into();
    let whole = shown(file.clone()).await;
    // The end chunk, the checksum of the data chunk, and that of the compressed data.
    for cut in [1, 12, 13, 16, 17, 20] {
        let ours = shown(file.slice(..file.len() - cut)).await;
        same(&ours, &whole, &format!("{cut} bytes less"));
    }
}

/// Offset and length of the data of the first chunk of a type.
fn find_chunk(png: &[u8], chunk_type: &[u8; 4]) -> (usize, usize) {
    let at = png.windows(4).position(|window| window == chunk_type).unwrap();
    let length = u32::from_be_bytes(png[at - 4..at].try_into().unwrap());
    (at + 4, length as usize)
}

#[tokio::test]
async fn p18_wrong_checksums_of_png_data_are_ignored() {
    for name in ["field/reference.png", "field/palette2.png", "field/rgb8-adam7.png"] {
        let file = fixture(name);
        let whole = shown(file.clone()).await;
        let (data, length) = find_chunk(&file, b"IDAT");
        for (what, at) in [
            ("IHDR", 8 + 8 + 13),
            ("IDAT", data + length),
            ("zlib", data + length - 1),
            ("IEND", file.len() - 1),
        ] {
            let mut damaged = file.to_vec();
            damaged[at] ^= 0x55;
            same(&shown(damaged).await, &whole, &format!("checksum of {what} of {name}"));
        }
    }
}

#[tokio::test]
async fn p18_a_png_shows_the_rows_before_invalid_data() {
    let file = Container::Png.write(&noise(100, 100), &[]);
    let whole = shown(file.clone()).await;
    let (data, length) = find_chunk(&file, b"IDAT");
    let mut damaged = file;
    // Ends in a block of the reserved type, or in a distance beyond the beginning: 0xFF bytes are neither.
    damaged[data + length * 3 / 4..data + length].fill(0xFF);
    let rows = common_rows(&shown(damaged.clone()).await, &whole);
    assert!((60..=80).contains(&rows), "{rows} rows are shown");
    damaged[data + length / 8..data + length].fill(0xFF);
    assert_eq!(made(damaged, png()).await.unwrap_err().kind(), ErrorKind::Failed);
}

/// Inserts chunks behind the header of a PNG.
fn with_chunks(png: &[u8], chunks: &[u8]) -> Vec<u8> {
    const HEADER: usize = 33;
    [&png[..HEADER], chunks, &png[HEADER..]].concat()
}

#[tokio::test]
async fn p18_invalid_png_chunks_are_left_out() {
    let long = vec![7; 300];
    let large = vec![7; 9 << 20];
    for name in ["field/reference.png", "field/palette2.png", "alpha.png", "field/gray1.png"] {
        let file = fixture(name);
        let whole = shown(file.clone()).await;
        for (chunk_type, data) in [
            (b"cICP", &[][..]),
            (b"cICP", &[1, 13]),
            (b"cICP", &[3, 13, 0, 1]),
            (b"cICP", &[1, 3, 0, 1]),
            (b"cICP", &[255; 4]),
            (b"cICP", &[12, 13, 9, 1]),
            (b"cICP", &long),
            (b"cHRM", &[]),
            (b"cHRM", &[255; 32]),
            (b"cHRM", &[0; 32]),
            (b"cHRM", &long),
            (b"gAMA", &[]),
            (b"gAMA", &[0; 4]),
            (b"gAMA", &[255; 4]),
            (b"gAMA", &long),
            (b"sRGB", &[]),
            (b"sRGB", &[99]),
            (b"sRGB", &long),
            (b"iCCP", &[]),
            (b"iCCP", b"name without an end"),
            (b"iCCP", b"name\0\0not a zlib stream"),
            (b"iCCP", b"name\0\x07unknown method"),
            (b"iCCP", &large),
            (b"eXIf", &[]),
            (b"eXIf", b"MM\0*"),
            (b"eXIf", &long),
            (b"eXIf", &large),
            (b"tRNS", &long),
            (b"tRNS", &[]),
            (b"bKGD", &long),
            (b"pHYs", &long),
            (b"sBIT", &long),
            (b"hIST", &[]),
            (b"tIME", &long),
            (b"acTL", &[0; 8]),
            (b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
            (b"fcTL", &[]),
            (b"fcTL", &[255; 26]),
            (b"fdAT", &[]),
            (b"mDCV", &long),
            (b"cLLI", &[]),
            (b"tEXt", &large),
            (b"iTXt", &long),
            (b"zTXt", &[]),
            (b"abCD", &large),
        ] {
            let damaged = with_chunks(&file, &chunk(chunk_type, data));
            let what = format!("{name}: {} of {}", String::from_utf8_lossy(chunk_type), data.len());
            let (metadata, _) = images().read(damaged.clone()).await.expect(&what).unwrap();
            assert_eq!((metadata.width, metadata.height), size(&whole), "{what}");
            same(&shown(damaged).await, &whole, &what);
        }
    }
}

#[tokio::test]
async fn p18_png_chunks_with_wrong_checksums_are_left_out() {
    let file = fixture("field/reference.png");
    let whole = shown(file.clone()).await;
    let linear = 100_000u32.to_be_bytes();
    for (chunk_type, data) in [
        (b"gAMA", &linear[..]),
        (b"cICP", &[9, 13, 0, 1]),
        (b"tRNS", &[0; 6]),
        (b"eXIf", &exif(6)),
        (b"abCD", &[1]),
    ] {
        let mut damaged = chunk(chunk_type, data);
        *damaged.last_mut().unwrap() ^= 1;
        let what = String::from_utf8_lossy(chunk_type);
        same(&shown(with_chunks(&file, &damaged)).await, &whole, &what);
    }
    // The sound ones of the same kinds are heeded.
    for (chunk_type, data) in [(b"gAMA", &linear[..]), (b"eXIf", &exif(6))] {
        let heeded = shown(with_chunks(&file, &chunk(chunk_type, data))).await;
        assert!(heeded != whole, "{}", String::from_utf8_lossy(chunk_type));
    }
}

#[tokio::test]
async fn p18_chunks_between_png_data_are_skipped() {
    let file = fixture("field/reference.png");
    let whole = shown(file.clone()).await;
    let (data, length) = find_chunk(&file, b"IDAT");
    let (first, second) = file[data..data + length].split_at(length / 2);
    let split = [
        &file[..data - 8],
        &chunk(b"IDAT", first),
        &chunk(b"IDAT", &[]),
        &chunk(b"tEXt", b"a\0b"),
        &chunk(b"IDAT", second),
        &chunk(b"IEND", &[]),
    ];
    same(&shown(split.concat()).await, &whole, "split data");
}
