//! The headers before the first scan.

use std::io::{self, Read, Seek};

use super::segments::{ProfileSegments, next_marker, read, read_exif, skip};
use crate::image::input::invalid;

/// The headers up to the first scan, which are enough to check the limits before decoding.
#[derive(Debug)]
pub(super) struct FrameHeader {
    pub(super) width: u16,
    pub(super) height: u16,
    /// Horizontal and vertical sampling factors of each component.
    pub(super) sampling: Vec<(u8, u8)>,
    /// True if the image is progressive, or its first scan lacks a component.
    pub(super) is_multi_scan: bool,
    /// The offset of the entropy-coded data of the first scan.
    pub(super) scan_data_offset: u64,
    pub(super) icc_profile: Option<Vec<u8>>,
    pub(super) exif: Option<Vec<u8>>,
}

impl FrameHeader {
    /// Reads all segments before the data of the first scan, and skips stray bytes between them.
    pub(super) fn read(input: &mut (impl Read + Seek)) -> io::Result<Self> {
        if read::<2>(input)? != [0xFF, 0xD8] {
            return Err(invalid("the start-of-image marker is missing"));
        }
        let mut header: Option<Self> = None;
        let mut profile = ProfileSegments::default();
        let mut exif = None;
        loop {
            let marker = next_marker(input)?;
            // TEM and RST have no length.
            if matches!(marker, 0x01 | 0xD0..=0xD7) {
                continue;
            }
            if matches!(marker, 0xD8 | 0xD9) {
                return Err(invalid("the file has no scan"));
            }
            let length = u16::from_be_bytes(read(input)?).saturating_sub(2);
            match marker {
                0xC0..=0xC2 if header.is_some() => return Err(invalid("two frame headers")),
                0xC0..=0xC2 => header = Some(Self::parse(input, marker, length)?),
                0xC3 | 0xC5..=0xC7 => return Err(unsupported("lossless or hierarchical JPEG")),
                0xC8..=0xCB | 0xCD..=0xCF => return Err(unsupported("arithmetic coding")),
                0xDA => {
                    let mut header =
                        header.ok_or_else(|| invalid("no frame header before the first scan"))?;
                    let [components] = read(input)?;
                    header.is_multi_scan |= usize::from(components) < header.sampling.len();
                    skip(input, length.saturating_sub(1))?;
                    header.scan_data_offset = input.stream_position()?;
                    header.icc_profile = profile.assemble();
                    header.exif = exif;
                    return Ok(header);
                }
                0xE1 if exif.is_none() => exif = read_exif(input, length)?,
                0xE2 => profile.read_segment(input, length)?,
                _ => skip(input, length)?,
            }
        }
    }

    fn parse(input: &mut impl Read, marker: u8, length: u16) -> io::Result<Self> {
        let [precision, h1, h0, w1, w0, components] = read(input)?;
        if precision != 8 {
            return Err(unsupported("samples of other than 8 bits"));
        }
        let sampling = (0..components)
            .map(|_| {
                let [_id, factors, _table] = read(input)?;
                Ok((factors >> 4, factors & 15))
            })
            .collect::<io::Result<Vec<_>>>()?;
        if sampling.is_empty()
            || usize::from(length) != 6 + 3 * sampling.len()
            || sampling.iter().any(|&(h, v)| h == 0 || v == 0)
        {
            return Err(invalid("invalid components in the frame header"));
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        let is_multi_scan = marker == 0xC2;
        let (icc_profile, exif) = (None, None);
        Ok(Self { width, height, sampling, is_multi_scan, scan_data_offset: 0, icc_profile, exif })
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.width.into(), self.height.into())
    }

    /// Returns the bytes of memory that decoding at 1/`divisor` of each side takes: the pixels, a strip of
    /// rows of each component, and for an image of several scans all coefficients at full size.
    pub(super) fn memory(&self, divisor: u32) -> u64 {
        const STRIP_ROWS: u64 = 64;
        let (h, v) = self.sampling.iter().fold((1, 1), |max, &(h, v)| (max.0.max(h), max.1.max(v)));
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let pixels = width * height;
        let samples: u64 = self
            .sampling
            .iter()
            .map(|&(x, y)| pixels * u64::from(x) * u64::from(y) / (u64::from(h) * u64::from(v)))
            .sum();
        let coefficients = if self.is_multi_scan { samples * size_of::<i16>() as u64 } else { 0 };
        let components = self.sampling.len() as u64;
        let strip = width * STRIP_ROWS.min(height) * components;
        coefficients + strip + pixels * components / u64::from(divisor * divisor)
    }
}

fn unsupported(feature: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, feature)
}
