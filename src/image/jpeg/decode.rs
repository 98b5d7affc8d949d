//! Reads the header and decodes the pixels.

use std::{
    io::{self, Seek, SeekFrom},
    panic::{AssertUnwindSafe, UnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
};

use mozjpeg::ColorSpaceExt as _;

use super::{
    header::FrameHeader,
    source::{DecoderInput, Progress},
};
use crate::{
    error::{Error, ErrorKind, Result},
    image::{
        deadline::Deadline,
        format::RawHeader,
        input::{self, Input, invalid},
        limits::ImageLimits,
        partial,
    },
};

/// The divisors of both sides at which libjpeg can decode, besides 1.
const DIVISORS: [u32; 3] = [MAX_DIVISOR, 4, 2];
const MAX_DIVISOR: u32 = 8;

/// Reads the header, and checks that the smallest renditions are within the memory limit.
pub(in crate::image) fn read_header(mut input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let header = FrameHeader::read(&mut input).map_err(|error| input::failed(deadline, error))?;
    limits.check_memory(header.memory(MAX_DIVISOR))?;
    Ok(RawHeader { size: header.size(), has_alpha: false, exif: header.exif, orientation: None })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) enum PixelFormat {
    Gray,
    Rgb,
    /// 255 is full ink.
    Cmyk,
}

/// Decoded pixels in the file's own color space.
pub(in crate::image) struct DecodedJpeg {
    pub(in crate::image) width: u32,
    pub(in crate::image) height: u32,
    pub(in crate::image) format: PixelFormat,
    pub(in crate::image) bytes: Vec<u8>,
    pub(in crate::image) icc_profile: Option<Vec<u8>>,
}

/// Decodes at the smallest of 1/8, 1/4, 1/2 and full size that is at least `needed`.
pub(in crate::image) fn decode(
    mut input: Input,
    needed: (u32, u32),
    max_memory: u64,
) -> Result<DecodedJpeg> {
    let deadline = input::deadline(&input);
    let failed = |error: io::Error| input::failed(deadline, error);
    let mut header = FrameHeader::read(&mut input).map_err(failed)?;
    input.seek(SeekFrom::Start(0)).map_err(failed)?;
    let divisor = divisor(header.size(), needed);
    if header.memory(divisor) > max_memory {
        // Smaller renditions of the same file can be possible.
        let message = format!(
            "decoding a rendition of this size takes more than {max_memory} bytes: ask for a smaller one"
        );
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    let icc_profile = header.icc_profile.take();
    // Unwind safety: no state that libjpeg has touched is used after an error.
    let work = AssertUnwindSafe(|| decode_pixels(input, &header, divisor, deadline));
    let (width, height, format, bytes) = catch_libjpeg_error(work).map_err(failed)?;
    Ok(DecodedJpeg { width, height, format, bytes, icc_profile })
}

/// Turns the unwinding with which the wrapper reports an error of libjpeg into an error. Other panics
/// continue.
fn catch_libjpeg_error<T>(work: impl FnOnce() -> io::Result<T> + UnwindSafe) -> io::Result<T> {
    let panic = match catch_unwind(work) {
        Ok(result) => return result,
        Err(panic) => panic,
    };
    match panic.downcast::<String>() {
        Ok(message) if message.starts_with("libjpeg fatal error") => {
            Err(io::Error::other(*message))
        }
        Ok(panic) => resume_unwind(panic),
        Err(panic) => resume_unwind(panic),
    }
}

type Decoded = (u32, u32, PixelFormat, Vec<u8>);

#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
fn decode_pixels(
    input: Input,
    header: &FrameHeader,
    divisor: u32,
    deadline: Deadline,
) -> io::Result<Decoded> {
    let progress = Rc::new(Progress::default());
    let source = DecoderInput::new(input, header, deadline, progress.clone());
    let mut decoder = mozjpeg::Decompress::builder().from_reader(source)?;
    // The limits were checked against our reading of the header, so libjpeg's has to be the same.
    if decoder.size() != (header.width.into(), header.height.into())
        || decoder.components().len() != header.sampling.len()
    {
        return Err(invalid("ambiguous frame header"));
    }
    // libjpeg counts in eighths.
    decoder.scale((MAX_DIVISOR / divisor) as u8);
    let (format, mut decoder) = match decoder.image()? {
        mozjpeg::Format::Gray(decoder) => (PixelFormat::Gray, decoder),
        mozjpeg::Format::RGB(decoder) => (PixelFormat::Rgb, decoder),
        mozjpeg::Format::CMYK(decoder) => (PixelFormat::Cmyk, decoder),
    };
    let (width, height) = (decoder.width(), decoder.height());
    let row_bytes = decoder.color_space().num_components() * width;
    let mut bytes = vec![0; row_bytes * height];
    let mut rows_before_end = 0;
    for row in bytes.chunks_exact_mut(row_bytes) {
        if deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        decoder.read_scanlines_into(row)?;
        rows_before_end += usize::from(!progress.is_at_end.get());
    }
    // A second scan implies that the first is complete, and with it the whole image at low detail.
    if progress.is_at_end.get() && progress.later_scans.get() == 0 {
        let decoded = rows_before_end.max(height - trailing_gray_rows(&bytes, row_bytes));
        partial::check_rows(decoded, height)?;
    }
    if format == PixelFormat::Cmyk {
        // Adobe's CMYK files are inverted: 0 is full ink.
        bytes.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    Ok((width as u32, height as u32, format, bytes))
}

/// Counts the rows at the bottom that have the gray with which libjpeg fills missing data.
fn trailing_gray_rows(bytes: &[u8], row_bytes: usize) -> usize {
    let is_gray = |row: &&[u8]| row.iter().all(|sample| matches!(sample, 127 | 128));
    bytes.chunks_exact(row_bytes).rev().take_while(is_gray).count()
}

fn divisor(size: (u32, u32), needed: (u32, u32)) -> u32 {
    DIVISORS
        .into_iter()
        .find(|by| size.0.div_ceil(*by) >= needed.0 && size.1.div_ceil(*by) >= needed.1)
        .unwrap_or(1)
}
