//! JPEG: its frame header, and decoding at a part of its size.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::input::{self, Input};
use crate::error::{Error, ErrorKind, Result};

/// The parts of its sides that a JPEG can be decoded at, and the least of them.
const DIVISORS: [u32; 3] = [SMALLEST, 4, 2];
pub(super) const SMALLEST: u32 = 8;

/// What the frame header says: enough to judge a file before a decoder sees it.
#[derive(Debug)]
pub(super) struct Frame {
    width: u16,
    height: u16,
    progressive: bool,
    /// Horizontal and vertical sampling of each component.
    sampling: Vec<(u8, u8)>,
}

impl Frame {
    /// Walks over the segments to the first frame header.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Self> {
        if read::<2>(input)? != [0xFF, 0xD8] {
            return Err(invalid("no start of image"));
        }
        loop {
            let marker = marker(input)?;
            let length = u16::from_be_bytes(read(input)?);
            let body = length.checked_sub(2).ok_or_else(|| invalid("a segment without length"))?;
            match marker {
                0xC4 | 0xC8 | 0xCC => skip(input, body)?,
                0xC0..=0xCF => return Self::parse(input, marker),
                0xD9 | 0xDA => return Err(invalid("no frame header before the first scan")),
                _ => skip(input, body)?,
            }
        }
    }

    fn parse(input: &mut impl Read, marker: u8) -> io::Result<Self> {
        let [_precision, h1, h0, w1, w0, components] = read(input)?;
        let sampling = (0..components)
            .map(|_| {
                let [_id, factors, _table] = read(input)?;
                Ok((factors >> 4, factors & 15))
            })
            .collect::<io::Result<Vec<_>>>()?;
        if sampling.is_empty() || sampling.iter().any(|&(h, v)| h == 0 || v == 0) {
            return Err(invalid("impossible components"));
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        Ok(Self { width, height, progressive: marker == 0xC2, sampling })
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.width.into(), self.height.into())
    }

    /// The memory to decode it at one part in `divisor` of each side: its coefficients, which a
    /// progressive file needs as a whole, the planes of its components, and the pixels.
    pub(super) fn memory(&self, divisor: u32) -> u64 {
        let (h, v) =
            self.sampling.iter().fold((1, 1), |most, &(h, v)| (most.0.max(h), most.1.max(v)));
        let pixels = u64::from(self.width) * u64::from(self.height);
        let samples: u64 = self
            .sampling
            .iter()
            .map(|&(x, y)| pixels * u64::from(x) * u64::from(y) / (u64::from(h) * u64::from(v)))
            .sum();
        let coefficients = if self.progressive { samples * size_of::<i16>() as u64 } else { 0 };
        let decoded = samples + pixels * self.sampling.len() as u64;
        coefficients + decoded / u64::from(divisor * divisor)
    }
}

/// Pixels as a JPEG has them.
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) format: jpeg_decoder::PixelFormat,
    pub(super) bytes: Vec<u8>,
    pub(super) profile: Option<Vec<u8>>,
}

/// Decodes at the least of 1/8, 1/4, 1/2 and 1 that is not smaller than `needed`.
#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
pub(super) fn decode(mut input: Input, needed: (u32, u32), max_memory: u64) -> Result<Pixels> {
    let deadline = input::deadline(&input);
    let failed = |error: io::Error| input::failed(deadline, error);
    let frame = Frame::read(&mut input).map_err(failed)?;
    input.seek(SeekFrom::Start(0)).map_err(failed)?;
    let divisor = divisor(frame.size(), needed);
    if frame.memory(divisor) > max_memory {
        // The picture may be well, and smaller renditions of it possible.
        let message = "so large a rendition takes more memory than decoding may";
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }

    let mut decoder = jpeg_decoder::Decoder::new(Bytewise(input));
    decoder.set_max_decoding_buffer_size(usize::try_from(max_memory).unwrap_or(usize::MAX));
    let failed = |error: jpeg_decoder::Error| input::failed(deadline, error);
    // The decoder takes the least scale at which either side is large enough, and a short side is
    // so by rounding. Only the long one says which scale is meant.
    let part = |side: u16| side.div_ceil(divisor as u16);
    let scale = if frame.width >= frame.height {
        (part(frame.width), u16::MAX)
    } else {
        (u16::MAX, part(frame.height))
    };
    let (width, height) = decoder.scale(scale.0, scale.1).map_err(failed)?;
    let bytes = decoder.decode().map_err(failed)?;
    let format = decoder.info().map_or(jpeg_decoder::PixelFormat::L8, |info| info.pixel_format);
    Ok(Pixels {
        width: width.into(),
        height: height.into(),
        format,
        bytes,
        profile: decoder.icc_profile(),
    })
}

/// The decoder asks for one byte at a time, millions of times: a tenth of all its time goes into that
/// unless the way is short.
struct Bytewise(Input);

impl Read for Bytewise {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }

    #[inline]
    fn read_exact(&mut self, out: &mut [u8]) -> io::Result<()> {
        if let ([byte], [next, ..]) = (&mut *out, self.0.buffer()) {
            *byte = *next;
            self.0.consume(1);
            return Ok(());
        }
        self.0.read_exact(out)
    }
}

fn divisor(size: (u32, u32), needed: (u32, u32)) -> u32 {
    DIVISORS
        .into_iter()
        .find(|by| size.0.div_ceil(*by) >= needed.0 && size.1.div_ceil(*by) >= needed.1)
        .unwrap_or(1)
}

/// The next marker, fill bytes passed over.
fn marker(input: &mut impl Read) -> io::Result<u8> {
    let [start] = read(input)?;
    if start != 0xFF {
        return Err(invalid("no marker where one has to be"));
    }
    loop {
        match read(input)? {
            [0xFF] => {}
            [marker] => return Ok(marker),
        }
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

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
