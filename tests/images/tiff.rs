//! TIFF as a source of renditions: P1, P2, P4 to P6 and P12.

use tower_media::{ErrorKind, Rendition, media::Variant, testkit::Images};

use crate::{
    QUAD, close, decoded, fixture, generous, images, made,
    made::{Container, exif, quad},
    panicked, png, quarters, shown, size,
};

const WIDTH: u32 = 32;
const HEIGHT: u32 = 16;

const EXTRA_SAMPLES: u16 = 338;

const NONE: u32 = 1;
const DEFLATE: u32 = 8;
const PACK_BITS: u32 = 32_773;

/// The fields of the only page, and its strips or tiles.
struct Page {
    fields: Vec<(u16, Vec<u32>)>,
    data: Vec<Vec<u8>>,
    is_tiled: bool,
}

impl Page {
    /// One strip of RGB with 8 bits.
    fn rgb(pixels: &image::RgbImage) -> Self {
        Self::of(2, &[8; 3], pixels.dimensions(), pixels.to_vec())
    }

    fn of(color: u32, bits: &[u32], (width, height): (u32, u32), data: Vec<u8>) -> Self {
        let fields = vec![
            (256, vec![width]),
            (257, vec![height]),
            (258, bits.to_vec()),
            (259, vec![NONE]),
            (262, vec![color]),
            (277, vec![bits.len() as u32]),
            (278, vec![height]),
        ];
        Self { fields, data: vec![data], is_tiled: false }
    }

    fn with(mut self, tag: u16, value: u32) -> Self {
        self.fields.retain(|(other, _)| *other != tag);
        self.fields.push((tag, vec![value]));
        self
    }

    /// Writes a big-endian file. All values are `LONG`, except that of `ExtraSamples`.
    fn write(mut self) -> Vec<u8> {
        let mut file = b"MM\0*\0\0\0\0".to_vec();
        let (offsets, lengths) = if self.is_tiled { (324, 325) } else { (273, 279) };
        let mut starts = Vec::new();
        for data in &self.data {
            starts.push(file.len() as u32);
            file.extend(data);
        }
        self.fields.push((offsets, starts));
        self.fields.push((lengths, self.data.iter().map(|data| data.len() as u32).collect()));
        self.fields.sort();
        let mut directory = (self.fields.len() as u16).to_be_bytes().to_vec();
        for (tag, values) in self.fields {
            directory.extend(tag.to_be_bytes());
            directory.extend(4u16.to_be_bytes());
            directory.extend((values.len() as u32).to_be_bytes());
            if let (EXTRA_SAMPLES, [value]) = (tag, &values[..]) {
                directory.truncate(directory.len() - 6);
                directory.extend([0, 3, 0, 0, 0, 1, 0, *value as u8, 0, 0]);
            } else if let [value] = values[..] {
                directory.extend(value.to_be_bytes());
            } else {
                directory.extend((file.len() as u32).to_be_bytes());
                file.extend(values.into_iter().flat_map(u32::to_be_bytes));
            }
        }
        directory.extend([0; 4]);
        let start = (file.len() as u32).to_be_bytes();
        file[4..8].copy_from_slice(&start);
        [file, directory].concat()
    }
}

/// Compresses as one stored block of zlib.
fn zlib(data: &[u8]) -> Vec<u8> {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let length = data.len() as u16;
    let head = [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
    [&head[..], data, &(b << 16 | a).to_be_bytes()].concat()
}

/// Compresses each row as literal bytes.
fn pack_bits(data: &[u8], row_bytes: usize) -> Vec<u8> {
    let literals = |row: &[u8]| {
        row.chunks(128).flat_map(|part| [&[part.len() as u8 - 1], part].concat()).collect()
    };
    data.chunks(row_bytes).flat_map::<Vec<u8>, _>(literals).collect()
}

fn pixels() -> image::RgbImage {
    quad(WIDTH, HEIGHT).to_rgb8()
}

#[tokio::test]
async fn p12_each_kind_of_tiff_is_shown() {
    let rgb = pixels();
    let size = (WIDTH, HEIGHT);
    let gray = image::DynamicImage::from(rgb.clone()).to_luma8();
    let wide = |samples: &[u8]| samples.iter().flat_map(|value| [*value, *value]).collect();
    let cmyk = rgb.pixels().flat_map(|pixel| [255 - pixel[0], 255 - pixel[1], 255 - pixel[2], 0]);
    let rgba = rgb.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255]);
    let mut deflate = Page::rgb(&rgb).with(259, DEFLATE);
    deflate.data = vec![zlib(&rgb)];
    let mut packed = Page::rgb(&rgb).with(259, PACK_BITS);
    packed.data = vec![pack_bits(&rgb, 3 * WIDTH as usize)];
    let mut strips = Page::rgb(&rgb).with(278, 5);
    strips.data = rgb.chunks(5 * 3 * WIDTH as usize).map(<[u8]>::to_vec).collect();
    let mut tiles = Page::rgb(&rgb).with(322, 16).with(323, 16);
    tiles.is_tiled = true;
    tiles.data = [0, 16]
        .map(|left| image::imageops::crop_imm(&rgb, left, 0, 16, 16).to_image().to_vec())
        .to_vec();
    let gray_quad = QUAD.map(|[r, g, b]| {
        let pixel = image::RgbImage::from_pixel(1, 1, image::Rgb([r, g, b]));
        [image::DynamicImage::from(pixel).to_luma8()[(0, 0)].0[0]; 3]
    });
    for (what, page, expected) in [
        ("RGB", Page::rgb(&rgb), QUAD),
        ("RGB of 16 bits", Page::of(2, &[16; 3], size, wide(&rgb)), QUAD),
        ("RGBA", Page::of(2, &[8; 4], size, rgba.collect()), QUAD),
        ("gray", Page::of(1, &[8], size, gray.to_vec()), gray_quad),
        ("gray of 16 bits", Page::of(1, &[16], size, wide(&gray)), gray_quad),
        ("CMYK", Page::of(5, &[8; 4], size, cmyk.collect()), QUAD),
        ("deflate", deflate, QUAD),
        ("packed bits", packed, QUAD),
        ("strips", strips, QUAD),
        ("tiles", tiles, QUAD),
    ] {
        let page = if what == "RGBA" { page.with(EXTRA_SAMPLES, 2) } else { page };
        let file = page.write();
        let (metadata, exif) = images().read(file.clone()).await.expect(what).unwrap();
        assert_eq!((metadata.width, metadata.height), size, "{what}");
        assert_eq!((metadata.format.as_deref(), exif), (Some("tiff"), None), "{what}");
        assert_eq!(metadata.has_alpha, what == "RGBA", "{what}");
        let ours = shown(file).await;
        close(quarters(&ours).as_flattened(), expected.as_flattened(), 2, what);
    }
    let lzw = shown(fixture("quad.tiff")).await;
    close(quarters(&lzw).as_flattened(), QUAD.as_flattened(), 2, "LZW");
    for variant in Variant::ALL {
        assert!(made(fixture("quad.tiff"), variant).await.unwrap().starts_with(b"RIFF"));
    }
}

#[tokio::test]
async fn p06_a_tiff_is_upright() {
    for orientation in 1..=8 {
        let ours = shown(Page::rgb(&pixels()).with(274, orientation).write()).await;
        let right =
            shown(Container::Png.write(&quad(WIDTH, HEIGHT), &exif(orientation as u16))).await;
        assert!(ours == right, "orientation {orientation}");
    }
    let impossible = shown(Page::rgb(&pixels()).with(274, 99).write()).await;
    assert_eq!(size(&impossible), (WIDTH, HEIGHT));
}

#[tokio::test]
async fn p02_a_tiff_is_held_to_the_limits() {
    let file = Page::rgb(&pixels()).write();
    for limits in [
        generous().with_max_pixels(u64::from(WIDTH * HEIGHT) - 1),
        generous().with_max_side(WIDTH - 1),
        generous().with_max_memory(2_000),
    ] {
        let refused = Images::new(limits).make(file.clone(), &[Rendition::png(64)]).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Failed);
    }
    for (tag, value) in [(256, u32::MAX), (257, 60_000), (257, u32::MAX), (277, 65_535), (258, 64)]
    {
        let bomb = Page::rgb(&pixels()).with(tag, value).write();
        let error = made(bomb, Rendition::png(64)).await.unwrap_err();
        let expected = matches!(error.kind(), ErrorKind::Failed | ErrorKind::Unsupported);
        assert!(expected, "{tag} of {value}: {error:?}");
    }
}

#[tokio::test]
async fn p04_a_tiff_of_another_kind_has_no_renditions() {
    let palette = Page::of(3, &[8], (WIDTH, HEIGHT), vec![0; (WIDTH * HEIGHT) as usize]).write();
    assert_eq!(images().read(palette.clone()).await.unwrap(), None);
    let error = made(palette, Rendition::png(64)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn p05_a_damaged_tiff_is_an_error_or_an_image() {
    for file in [fixture("quad.tiff"), Page::rgb(&quad(8, 8).to_rgb8()).write().into()] {
        for length in (8..file.len()).step_by(file.len() / 40) {
            if let Ok(image) = made(file.slice(..length), png()).await {
                assert_eq!(size(&decoded(&image)), size(&shown(file.clone()).await));
            }
        }
        for at in (0..file.len()).step_by(file.len() / 300 + 1) {
            for bit in 0..8 {
                let mut damaged = file.to_vec();
                damaged[at] ^= 1 << bit;
                if let Err(error) = made(damaged, Rendition::png(8)).await {
                    let expected =
                        matches!(error.kind(), ErrorKind::Failed | ErrorKind::Unsupported);
                    assert!(expected, "bit {bit} of byte {at}: {error:?}");
                    assert!(!panicked(&error), "bit {bit} of byte {at}: {error:?}");
                }
            }
        }
    }
}
