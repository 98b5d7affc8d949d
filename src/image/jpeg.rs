//! JPEG: header reading, and decoding at 1/8, 1/4, 1/2 or full size.
//!
//! Decoding uses libjpeg, because browsers show of a damaged file what libjpeg makes of it (promise P18).

use std::{
    cell::Cell,
    io::{self, BufRead, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, UnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
};

use mozjpeg::ColorSpaceExt as _;

use super::{
    deadline::Deadline,
    format::{MAX_ICC_PROFILE, RawHeader},
    input::{self, Input},
    limits::ImageLimits,
    partial,
};
use crate::error::{Error, ErrorKind, Result};

// The libjpeg wrapper reports a fatal error of libjpeg by unwinding.
#[cfg(panic = "abort")]
compile_error!(
    "the feature `images` of tower-media needs unwinding, because a broken JPEG would abort the whole \
     process: remove `panic = \"abort\"` from the Cargo profile, or build without the feature `images`"
);

/// The divisors of both sides at which libjpeg can decode, besides 1.
const DIVISORS: [u32; 3] = [MAX_DIVISOR, 4, 2];
const MAX_DIVISOR: u32 = 8;

/// Bounds the scans of a progressive file: each scan visits all coefficients, and costs 10 bytes of file.
const MAX_SCANS: u32 = 500;

/// The bytes handed to libjpeg between two checks of the deadline and of [`MAX_SCANS`].
const CHUNK: usize = 512;

/// Reads the header, and checks that the smallest renditions are within the memory limit.
pub(super) fn read_header(mut input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let header = FrameHeader::read(&mut input).map_err(|error| input::failed(deadline, error))?;
    limits.check_memory(header.memory(MAX_DIVISOR))?;
    Ok(RawHeader { size: header.size(), has_alpha: false, exif: header.exif, orientation: None })
}

/// The headers up to the first scan, which are enough to check the limits before decoding.
#[derive(Debug)]
struct FrameHeader {
    width: u16,
    height: u16,
    /// Horizontal and vertical sampling factors of each component.
    sampling: Vec<(u8, u8)>,
    /// Whether the image is progressive, or its first scan lacks a component.
    is_multi_scan: bool,
    /// The offset of the entropy-coded data of the first scan.
    scan_data_offset: u64,
    icc_profile: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
}

impl FrameHeader {
    /// Reads all segments before the data of the first scan, and skips stray bytes between them.
    fn read(input: &mut (impl Read + Seek)) -> io::Result<Self> {
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

    fn size(&self) -> (u32, u32) {
        (self.width.into(), self.height.into())
    }

    /// Returns the bytes of memory that decoding at 1/`divisor` of each side takes: the pixels, a strip of
    /// rows of each component, and for an image of several scans all coefficients at full size.
    fn memory(&self, divisor: u32) -> u64 {
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

/// The chunks of an ICC profile, each from one APP2 segment, indexed by their sequence number minus 1.
#[derive(Default)]
struct ProfileSegments {
    chunks: Vec<Option<Vec<u8>>>,
    bytes: usize,
}

impl ProfileSegments {
    const NAME: &[u8; 12] = b"ICC_PROFILE\0";

    fn read_segment(&mut self, input: &mut impl Read, length: u16) -> io::Result<()> {
        if usize::from(length) < Self::NAME.len() + 2 {
            return skip(input, length);
        }
        let name: [u8; 12] = read(input)?;
        let [number, count] = read(input)?;
        let length = length - 14;
        let fits = self.bytes + usize::from(length) <= MAX_ICC_PROFILE;
        if name != *Self::NAME || number == 0 || number > count || !fits {
            return skip(input, length);
        }
        let mut chunk = vec![0; length.into()];
        input.read_exact(&mut chunk)?;
        self.bytes += chunk.len();
        self.chunks.resize(self.chunks.len().max(count.into()), None);
        self.chunks[usize::from(number) - 1] = Some(chunk);
        Ok(())
    }

    /// Returns the profile if no chunk is missing.
    fn assemble(self) -> Option<Vec<u8>> {
        let chunks: Option<Vec<_>> = self.chunks.into_iter().collect();
        chunks.map(|chunks| chunks.concat()).filter(|profile| !profile.is_empty())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PixelFormat {
    Gray,
    Rgb,
    /// 255 is full ink.
    Cmyk,
}

/// Decoded pixels in the file's own color space.
pub(super) struct DecodedJpeg {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) format: PixelFormat,
    pub(super) bytes: Vec<u8>,
    pub(super) icc_profile: Option<Vec<u8>>,
}

/// Decodes at the smallest of 1/8, 1/4, 1/2 and full size that is at least `needed`.
pub(super) fn decode(mut input: Input, needed: (u32, u32), max_memory: u64) -> Result<DecodedJpeg> {
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
        // Adobe's CMYK files are inverted: 255 is no ink.
        bytes.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    Ok((width as u32, height as u32, format, bytes))
}

/// Counts the rows at the bottom that have the gray with which libjpeg fills missing data.
fn trailing_gray_rows(bytes: &[u8], row_bytes: usize) -> usize {
    let is_gray = |row: &&[u8]| row.iter().all(|sample| matches!(sample, 127 | 128));
    bytes.chunks_exact(row_bytes).rev().take_while(is_gray).count()
}

/// How far libjpeg has read.
#[derive(Default)]
struct Progress {
    is_at_end: Cell<bool>,
    later_scans: Cell<u32>,
}

/// The file as libjpeg reads it, which fails at the deadline. It is padded with end markers without end,
/// because libjpeg fails at an end of file within a segment and keeps its pixels at an end marker.
struct DecoderInput {
    input: Input,
    deadline: Deadline,
    progress: Rc<Progress>,
    /// The bytes before the data of the first scan that are not consumed yet.
    header_bytes_left: u64,
    last_byte: u8,
    is_multi_scan: bool,
}

const END_MARKERS: &[u8] = &[0xFF, 0xD9, 0xFF, 0xD9];

impl DecoderInput {
    fn new(input: Input, header: &FrameHeader, deadline: Deadline, progress: Rc<Progress>) -> Self {
        Self {
            input,
            deadline,
            progress,
            header_bytes_left: header.scan_data_offset,
            last_byte: 0,
            is_multi_scan: header.is_multi_scan,
        }
    }

    /// Counts the scans that begin within the next `amount` bytes.
    fn count_scans(&mut self, amount: usize) {
        let consumed = self.input.buffer().get(..amount).unwrap_or_default();
        let header =
            usize::try_from(self.header_bytes_left).map_or(amount, |left| left.min(amount));
        self.header_bytes_left -= header as u64;
        let mut scans = self.progress.later_scans.get();
        for &byte in &consumed[header.min(consumed.len())..] {
            scans += u32::from(self.last_byte == 0xFF && byte == 0xDA);
            self.last_byte = byte;
        }
        self.progress.later_scans.set(scans);
    }
}

impl Read for DecoderInput {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let amount = self.fill_buf()?.read(out)?;
        self.consume(amount);
        Ok(amount)
    }
}

impl BufRead for DecoderInput {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.progress.later_scans.get() >= MAX_SCANS {
            return Err(invalid("too many scans"));
        }
        if self.progress.is_at_end.get() || self.input.fill_buf()?.is_empty() {
            self.progress.is_at_end.set(true);
            return Ok(END_MARKERS);
        }
        let bytes = self.input.fill_buf()?;
        let max = if self.is_multi_scan { CHUNK } else { usize::MAX };
        Ok(&bytes[..bytes.len().min(max)])
    }

    fn consume(&mut self, amount: usize) {
        if self.progress.is_at_end.get() {
            return;
        }
        if self.is_multi_scan {
            self.count_scans(amount);
        }
        self.input.consume(amount);
    }
}

/// Reads the EXIF data of an APP1 segment; `None` if it holds other data, such as XMP.
fn read_exif(input: &mut impl Read, length: u16) -> io::Result<Option<Vec<u8>>> {
    const PREFIX: &[u8; 6] = b"Exif\0\0";
    if usize::from(length) < PREFIX.len() {
        return skip(input, length).map(|()| None);
    }
    let prefix: [u8; 6] = read(input)?;
    let length = length - 6;
    if prefix != *PREFIX {
        return skip(input, length).map(|()| None);
    }
    let mut exif = vec![0; length.into()];
    input.read_exact(&mut exif)?;
    Ok(Some(exif))
}

fn divisor(size: (u32, u32), needed: (u32, u32)) -> u32 {
    DIVISORS
        .into_iter()
        .find(|by| size.0.div_ceil(*by) >= needed.0 && size.1.div_ceil(*by) >= needed.1)
        .unwrap_or(1)
}

/// Returns the next marker; skips fill bytes and stray bytes before it.
fn next_marker(input: &mut impl Read) -> io::Result<u8> {
    let mut last = 0;
    loop {
        let [byte] = read(input)?;
        if last == 0xFF && !matches!(byte, 0 | 0xFF) {
            return Ok(byte);
        }
        last = byte;
    }
}

fn read<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(input: &mut impl Read, bytes: u16) -> io::Result<()> {
    let skipped = io::copy(&mut input.take(bytes.into()), &mut io::sink())?;
    if skipped < bytes.into() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn unsupported(feature: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, feature)
}
