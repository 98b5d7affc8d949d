//! The RIFF container of WebP.
//!
//! The size in its header is ignored, because the chunks have sizes of their own. Decoders get a container
//! with the first image only, so flags and chunks of metadata cannot contradict it.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::image::input::invalid;

const RIFF_HEADER_BYTES: u64 = 12;
const CHUNK_HEADER_BYTES: u64 = 8;
const FRAME_HEADER_BYTES: usize = 16;

/// The coded image may take this many bytes more than four per pixel.
const MAX_OVERHEAD: u64 = 64 << 10;

/// The decoder may read beyond the end of a truncated image, because the padding stands for other pixels.
const EXTRA_PADDING: u64 = 64 << 10;

const ALPHA_FLAG: u8 = 0x10;
const ANIMATION_FLAG: u8 = 0x02;

/// Offset and length of the data of a chunk. It may end beyond the file.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    chunk_type: [u8; 4],
    start: u64,
    length: u64,
}

impl Chunk {
    fn end(self) -> u64 {
        self.start + self.length
    }

    /// Returns the offset of the next chunk: chunks are padded to even sizes.
    fn next(self) -> u64 {
        self.end() + self.length % 2
    }
}

/// The first frame of an animation.
#[derive(Debug)]
struct Animation {
    canvas: (u32, u32),
    has_alpha: bool,
    frame_header: [u8; FRAME_HEADER_BYTES],
}

/// The first image of a file.
#[derive(Debug)]
pub(super) struct Riff {
    animation: Option<Animation>,
    alpha: Option<Chunk>,
    coded: Chunk,
    coded_size: (u32, u32),
    coded_has_alpha: bool,
    exif: Option<Chunk>,
    icc_profile: Option<Chunk>,
    file_bytes: u64,
}

impl Riff {
    pub(super) fn read(input: &mut (impl BufRead + Seek)) -> io::Result<Self> {
        let file_bytes = input.seek(SeekFrom::End(0))?;
        let mut chunks = Chunks::read(input, RIFF_HEADER_BYTES, file_bytes)?;
        let mut animation = None;
        if let Some(frame) = chunks.take(b"ANMF") {
            let extended = chunks.take(b"VP8X").ok_or_else(|| invalid("the canvas is missing"))?;
            let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = read_at(input, extended.start)?;
            let side = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1;
            animation = Some(Animation {
                canvas: (side([w0, w1, w2]), side([h0, h1, h2])),
                has_alpha: flags & ALPHA_FLAG != 0,
                frame_header: read_at(input, frame.start)?,
            });
            let start = frame.start + FRAME_HEADER_BYTES as u64;
            let in_frame = Chunks::read(input, start, frame.end().min(file_bytes))?;
            chunks.0.retain(|chunk| !matches!(&chunk.chunk_type, b"ALPH" | b"VP8 " | b"VP8L"));
            chunks.0.extend(in_frame.0);
        }
        let (lossy, lossless) = (chunks.take(b"VP8 "), chunks.take(b"VP8L"));
        let coded = lossy.or(lossless).ok_or_else(|| invalid("the file has no image"))?;
        let (coded_size, coded_has_alpha) = match lossy {
            Some(_) => (lossy_size(read_at(input, coded.start)?)?, false),
            None => lossless_size(read_at(input, coded.start)?)?,
        };
        Ok(Self {
            animation,
            alpha: chunks.take(b"ALPH").filter(|_| lossy.is_some()),
            coded,
            coded_size,
            coded_has_alpha,
            exif: chunks.take(b"EXIF"),
            icc_profile: chunks.take(b"ICCP"),
            file_bytes,
        })
    }

    pub(super) fn size(&self) -> (u32, u32) {
        self.animation.as_ref().map_or(self.coded_size, |animation| animation.canvas)
    }

    pub(super) fn has_alpha(&self) -> bool {
        match &self.animation {
            Some(animation) => animation.has_alpha,
            None => self.coded_has_alpha || self.alpha.is_some(),
        }
    }

    /// Returns the bytes of the coded image with its padding.
    pub(super) fn coded_bytes(&self) -> u64 {
        self.padded_length() + self.alpha.map_or(0, |alpha| alpha.length)
    }

    fn padded_length(&self) -> u64 {
        let length = self.coded.length;
        if self.is_truncated() { 2 * length + EXTRA_PADDING } else { length }
    }

    /// Returns whether the file ends within the coded image.
    pub(super) fn is_truncated(&self) -> bool {
        self.coded.end() > self.file_bytes
    }

    /// Reads the EXIF data, of at most `max` bytes.
    pub(super) fn exif(&self, input: &mut (impl Read + Seek), max: u64) -> Option<Vec<u8>> {
        self.metadata(input, self.exif?, max)
    }

    /// Reads the ICC profile, of at most `max` bytes.
    pub(super) fn icc_profile(&self, input: &mut (impl Read + Seek), max: u64) -> Option<Vec<u8>> {
        self.metadata(input, self.icc_profile?, max)
    }

    fn metadata(&self, input: &mut (impl Read + Seek), chunk: Chunk, max: u64) -> Option<Vec<u8>> {
        if chunk.length > max || chunk.end() > self.file_bytes {
            return None;
        }
        input.seek(SeekFrom::Start(chunk.start)).ok()?;
        let mut data = vec![0; chunk.length as usize];
        input.read_exact(&mut data).ok()?;
        Some(data)
    }

    /// Writes a container with the coded image only. What is missing of a truncated image is `padding`.
    pub(super) fn container(
        &self,
        input: &mut (impl Read + Seek),
        padding: u8,
    ) -> io::Result<Vec<u8>> {
        let pixels = u64::from(self.coded_size.0) * u64::from(self.coded_size.1);
        if self.coded.length.max(self.alpha.map_or(0, |alpha| alpha.length))
            > 4 * pixels + MAX_OVERHEAD
        {
            return Err(invalid("the coded image is larger than its pixels"));
        }
        let mut image = Vec::new();
        let coded = (self.coded, self.padded_length());
        for (chunk, length) in
            self.alpha.map(|alpha| (alpha, alpha.length)).into_iter().chain([coded])
        {
            push_chunk(&mut image, chunk.chunk_type, length as u32);
            let end = image.len() + length as usize;
            input.seek(SeekFrom::Start(chunk.start))?;
            input.take(chunk.length).read_to_end(&mut image)?;
            image.resize(end, padding);
            image.resize(image.len() + image.len() % 2, 0);
        }
        let mut body = b"WEBP".to_vec();
        match &self.animation {
            Some(Animation { canvas, has_alpha, frame_header }) => {
                let alpha = if *has_alpha { ALPHA_FLAG } else { 0 };
                push_extended(&mut body, ANIMATION_FLAG | alpha, *canvas);
                push_chunk(&mut body, *b"ANIM", 6);
                body.extend([0; 6]);
                push_chunk(&mut body, *b"ANMF", (FRAME_HEADER_BYTES + image.len()) as u32);
                body.extend(frame_header);
            }
            None if self.alpha.is_some() => {
                push_extended(&mut body, ALPHA_FLAG, self.coded_size);
            }
            None => {}
        }
        let mut file = Vec::with_capacity(8 + body.len() + image.len());
        push_chunk(&mut file, *b"RIFF", (body.len() + image.len()) as u32);
        file.extend(body);
        file.extend(image);
        Ok(file)
    }
}

fn push_chunk(out: &mut Vec<u8>, chunk_type: [u8; 4], length: u32) {
    out.extend(chunk_type);
    out.extend(length.to_le_bytes());
}

fn push_extended(out: &mut Vec<u8>, flags: u8, (width, height): (u32, u32)) {
    push_chunk(out, *b"VP8X", 10);
    out.extend([flags, 0, 0, 0]);
    out.extend(&(width - 1).to_le_bytes()[..3]);
    out.extend(&(height - 1).to_le_bytes()[..3]);
}

/// The first chunk of each type.
struct Chunks(Vec<Chunk>);

impl Chunks {
    fn read(input: &mut (impl BufRead + Seek), start: u64, end: u64) -> io::Result<Self> {
        const TYPES: [&[u8; 4]; 7] =
            [b"VP8X", b"ANMF", b"ALPH", b"VP8 ", b"VP8L", b"EXIF", b"ICCP"];
        let mut found: Vec<Chunk> = Vec::new();
        let mut at = start;
        input.seek(SeekFrom::Start(start))?;
        while at + CHUNK_HEADER_BYTES <= end {
            let mut head = [0; CHUNK_HEADER_BYTES as usize];
            input.read_exact(&mut head)?;
            let [c0, c1, c2, c3, length @ ..] = head;
            let chunk = Chunk {
                chunk_type: [c0, c1, c2, c3],
                start: at + CHUNK_HEADER_BYTES,
                length: u32::from_le_bytes(length).into(),
            };
            let is_new = found.iter().all(|other| other.chunk_type != chunk.chunk_type);
            if is_new && TYPES.contains(&&chunk.chunk_type) {
                found.push(chunk);
            }
            input.seek_relative((chunk.next() - chunk.start) as i64)?;
            at = chunk.next();
        }
        Ok(Self(found))
    }

    fn take(&mut self, chunk_type: &[u8; 4]) -> Option<Chunk> {
        let index = self.0.iter().position(|chunk| chunk.chunk_type == *chunk_type)?;
        Some(self.0.swap_remove(index))
    }
}

fn read_at<const N: usize>(input: &mut (impl Read + Seek), offset: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.seek(SeekFrom::Start(offset))?;
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Parses the beginning of a VP8 key frame.
fn lossy_size(head: [u8; 10]) -> io::Result<(u32, u32)> {
    let [tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1] = head else {
        return Err(invalid("the VP8 header is damaged"));
    };
    if tag & 1 != 0 {
        return Err(invalid("the VP8 image is not a key frame"));
    }
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
    let size = (side([w0, w1]), side([h0, h1]));
    if size.0 == 0 || size.1 == 0 {
        return Err(invalid("the VP8 image has no pixels"));
    }
    Ok(size)
}

/// Parses the beginning of a VP8L image: its size, and whether it has alpha.
fn lossless_size(head: [u8; 5]) -> io::Result<((u32, u32), bool)> {
    let [0x2F, fields @ ..] = head else {
        return Err(invalid("the VP8L header is damaged"));
    };
    let fields = u32::from_le_bytes(fields);
    if fields >> 29 != 0 {
        return Err(invalid("unknown version of VP8L"));
    }
    let side = |bits: u32| (bits & 0x3FFF) + 1;
    Ok(((side(fields), side(fields >> 14)), fields >> 28 & 1 != 0))
}
