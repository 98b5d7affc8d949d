//! Images made for tests, with metadata.

use std::io::Cursor;

use exif::{Field, In, Rational, Tag, Value, experimental::Writer};
use image::{
    DynamicImage, ExtendedColorType, ImageEncoder, Rgb, RgbImage,
    codecs::{gif::GifEncoder, png::PngEncoder, webp::WebPEncoder},
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// The containers that renditions are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Jpeg,
    Png,
    WebP,
    Gif,
}

impl Container {
    pub(crate) const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::WebP, Self::Gif];

    /// Writes an image, with EXIF data if the container can hold it.
    pub(crate) fn write(self, picture: &DynamicImage, exif: &[u8]) -> Vec<u8> {
        let pixels = picture.to_rgb8();
        let (width, height) = pixels.dimensions();
        let mut bytes = Vec::new();
        match self {
            Self::Jpeg => {
                let mut encoder = Encoder::new(&mut bytes, 95);
                encoder.set_sampling_factor(SamplingFactor::F_1_1);
                encoder.add_exif_metadata(exif).unwrap();
                encoder.encode(&pixels, width as u16, height as u16, ColorType::Rgb).unwrap();
            }
            Self::Png => {
                let mut encoder = PngEncoder::new(&mut bytes);
                encoder.set_exif_metadata(exif.to_vec()).unwrap();
                encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
            }
            Self::WebP => {
                let mut encoder = WebPEncoder::new_lossless(&mut bytes);
                encoder.set_exif_metadata(exif.to_vec()).unwrap();
                encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
            }
            Self::Gif => {
                let mut encoder = GifEncoder::new(&mut bytes);
                encoder.encode(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
            }
        }
        bytes
    }
}

/// Returns the four-color image, upright.
pub(crate) fn quad(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(super::QUAD[usize::from(x >= width / 2) + 2 * usize::from(y >= height / 2)])
    })
    .into()
}

pub(crate) const MAKE: &str = "Plantedmaker";

/// Returns EXIF data with a camera make, an orientation and a location.
pub(crate) fn exif(orientation: u16) -> Vec<u8> {
    let degrees = |degrees, minutes, hundredths| {
        let part = |num, denom| Rational { num, denom };
        Value::Rational(vec![part(degrees, 1), part(minutes, 1), part(hundredths, 100)])
    };
    let text = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
    let fields = [
        (Tag::Make, text(MAKE)),
        (Tag::Orientation, Value::Short(vec![orientation])),
        (Tag::GPSLatitudeRef, text("N")),
        (Tag::GPSLatitude, degrees(47, 39, 3708)),
        (Tag::GPSLongitudeRef, text("E")),
        (Tag::GPSLongitude, degrees(9, 10, 3288)),
    ]
    .map(|(tag, value)| Field { tag, ifd_num: In::PRIMARY, value });
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut bytes = Cursor::new(Vec::new());
    writer.write(&mut bytes, false).unwrap();
    bytes.into_inner()
}

/// Returns a chunk of PNG.
pub(crate) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let check = body.iter().fold(u32::MAX, |mut check, byte| {
        check ^= u32::from(*byte);
        for _ in 0..8 {
            check = (check >> 1) ^ (0xEDB8_8320 & (check & 1).wrapping_neg());
        }
        check
    });
    [&(data.len() as u32).to_be_bytes()[..], &body, &(!check).to_be_bytes()].concat()
}

/// Returns the signature and header of a PNG with this bit depth and color type.
pub(crate) fn png_header(width: u32, height: u32, depth: u8, color: u8) -> Vec<u8> {
    let mut data = [width.to_be_bytes(), height.to_be_bytes()].concat();
    data.extend([depth, color, 0, 0, 0]);
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &data)].concat()
}
