//! The chunks of a PNG file that decoding needs, without those that are damaged.
//!
//! Ancillary chunks with a wrong checksum are left out, as libpng does (promise P18). Text chunks and the
//! frames of animations are skipped, and large profiles are left out (promise P19).

use std::{
    cell::Cell,
    io::{self, BufRead, Read, Seek, SeekFrom},
    rc::Rc,
};

use crate::image::{
    format::MAX_EXIF,
    input::{Input, invalid},
};

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
const CHECKSUM_BYTES: i64 = 4;

/// Larger `iCCP` chunks are left out, in bytes.
const MAX_PROFILE_CHUNK: u32 = 2 << 20;
/// Larger chunks of other types are left out, in bytes. A palette takes 768.
const MAX_CHUNK: u32 = 1 << 10;

/// The bytes of image data per chunk of the stream.
const DATA_BYTES: usize = 8 << 10;

/// Empty chunks of image data at the end of the stream. The decoder holds back up to 8 KB of rows until the
/// next chunk begins.
const EMPTY_CHUNKS: u32 = 2;

/// The part of the compressed image data to be decoded, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) end: u64,
    /// From this offset on, the decoder receives single bytes.
    pub(super) single_bytes_from: u64,
}

impl Extent {
    pub(super) const ALL: Self = Self { end: u64::MAX, single_bytes_from: u64::MAX };
}

/// A PNG stream of `IHDR`, the chunks that say how to decode and display the pixels, and `IDAT` chunks.
///
/// It ends with the image data, so a missing or damaged `IEND` does not matter. Checksums are not written,
/// and the decoder must ignore them.
pub(super) struct Chunks<'a> {
    input: &'a mut Input,
    extent: Extent,
    pending: Vec<u8>,
    position: usize,
    color_type: Option<u8>,
    /// The bytes that are left in the `IDAT` chunk of the file.
    data_left: Option<u64>,
    pending_data: u64,
    /// The bytes of image data that the decoder has decoded.
    decoded: Rc<Cell<u64>>,
    empty_chunks: u32,
}

impl<'a> Chunks<'a> {
    /// Reads from the beginning of the file.
    pub(super) fn new(input: &'a mut Input, extent: Extent) -> io::Result<Self> {
        input.seek(SeekFrom::Start(0))?;
        let mut signature = [0; 8];
        input.read_exact(&mut signature)?;
        if signature != *SIGNATURE {
            return Err(invalid("the PNG signature is damaged"));
        }
        Ok(Self {
            input,
            extent,
            pending: signature.to_vec(),
            position: 0,
            color_type: None,
            data_left: None,
            pending_data: 0,
            decoded: Rc::default(),
            empty_chunks: 0,
        })
    }

    /// Returns the counter of the image data that the decoder has decoded without an error.
    pub(super) fn decoded_data(&self) -> Rc<Cell<u64>> {
        self.decoded.clone()
    }

    /// Makes the next chunk pending; `pending` stays empty at the end of the stream.
    fn advance(&mut self) -> io::Result<()> {
        self.decoded.set(self.decoded.get() + std::mem::take(&mut self.pending_data));
        self.position = 0;
        self.pending.clear();
        while self.pending.is_empty() {
            match self.data_left {
                Some(left) if left > 0 => self.copy_data(left)?,
                _ => {
                    let Some((chunk_type, length)) = read_head(self.input)? else {
                        return self.end();
                    };
                    self.next_chunk(chunk_type, length)?;
                }
            }
        }
        Ok(())
    }

    fn next_chunk(&mut self, chunk_type: [u8; 4], length: u32) -> io::Result<()> {
        let has_data = self.data_left.is_some();
        let is_palette = self.color_type == Some(3);
        match &chunk_type {
            b"IDAT" if length > 0 => self.data_left = Some(length.into()),
            b"IHDR" if self.color_type.is_none() => {
                let header = read_unchecked(self.input, length)?;
                self.color_type = header.get(9).copied();
                self.push(&chunk_type, &header);
            }
            b"PLTE" if is_palette && !has_data => {
                let palette = read_unchecked(self.input, length)?;
                self.push(&chunk_type, &palette);
            }
            b"tRNS" | b"cICP" | b"iCCP" | b"sRGB" | b"gAMA" | b"cHRM" if !has_data => {
                let max = if chunk_type == *b"iCCP" { MAX_PROFILE_CHUNK } else { MAX_CHUNK };
                let data = read_checked(self.input, chunk_type, length, max)?;
                // The decoder fails at other values of the matrix and the range.
                let is_valid =
                    |data: &Vec<u8>| chunk_type != *b"cICP" || matches!(data[..], [_, _, 0, 0 | 1]);
                if let Some(data) = data.filter(is_valid) {
                    self.push(&chunk_type, &data);
                }
            }
            [first, ..]
                if first.is_ascii_uppercase()
                    && !has_data
                    && !matches!(&chunk_type, b"PLTE" | b"IDAT") =>
            {
                return Err(invalid("unknown critical chunk"));
            }
            _ => self.input.seek_relative(i64::from(length) + CHECKSUM_BYTES)?,
        }
        Ok(())
    }

    /// Makes the next part of the image data a chunk of its own.
    fn copy_data(&mut self, left: u64) -> io::Result<()> {
        let offset = self.decoded.get();
        let Extent { end, single_bytes_from } = self.extent;
        let max = match single_bytes_from.checked_sub(offset) {
            None | Some(0) => 1,
            Some(whole) => whole.min(DATA_BYTES as u64),
        };
        let max = max.min(left).min(end.saturating_sub(offset));
        let available = self.input.fill_buf()?;
        let data = available[..available.len().min(max as usize)].to_vec();
        if data.is_empty() {
            self.data_left = Some(0);
            self.input.seek(SeekFrom::End(0))?;
            return Ok(());
        }
        self.input.consume(data.len());
        self.push(b"IDAT", &data);
        self.pending_data = data.len() as u64;
        self.data_left = Some(left - data.len() as u64);
        if self.data_left == Some(0) {
            self.input.seek_relative(CHECKSUM_BYTES)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.data_left.is_some() && self.empty_chunks < EMPTY_CHUNKS {
            self.empty_chunks += 1;
            self.push(b"IDAT", &[]);
        }
        Ok(())
    }

    fn push(&mut self, chunk_type: &[u8; 4], data: &[u8]) {
        self.pending.extend_from_slice(&(data.len() as u32).to_be_bytes());
        self.pending.extend_from_slice(chunk_type);
        self.pending.extend_from_slice(data);
        self.pending.extend_from_slice(&[0; CHECKSUM_BYTES as usize]);
    }
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.pending.len() {
            self.advance()?;
        }
        Ok(&self.pending[self.position..])
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount;
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let amount = self.fill_buf()?.read(out)?;
        self.consume(amount);
        Ok(amount)
    }
}

impl Seek for Chunks<'_> {
    /// Fails: the decoder asks for this trait, and does not use it.
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Reads the data of the first valid `eXIf` chunk, which may follow the pixels.
pub(super) fn read_exif(input: &mut Input) -> io::Result<Option<Vec<u8>>> {
    input.seek(SeekFrom::Start(SIGNATURE.len() as u64))?;
    while let Some((chunk_type, length)) = read_head(input)? {
        if chunk_type == *b"eXIf" {
            let exif = read_checked(input, chunk_type, length, MAX_EXIF as u32)?;
            if exif.is_some() {
                return Ok(exif);
            }
        } else {
            input.seek_relative(i64::from(length) + CHECKSUM_BYTES)?;
        }
    }
    Ok(None)
}

/// Reads the type and the length of the next chunk; `None` at `IEND`, at the end of the file, and where no
/// chunk begins.
fn read_head(input: &mut Input) -> io::Result<Option<([u8; 4], u32)>> {
    let mut head = Vec::new();
    input.by_ref().take(8).read_to_end(&mut head)?;
    let Ok([l0, l1, l2, l3, chunk_type @ ..]) = <[u8; 8]>::try_from(head) else { return Ok(None) };
    if chunk_type == *b"IEND" || !chunk_type.iter().all(u8::is_ascii_alphabetic) {
        return Ok(None);
    }
    Ok(Some((chunk_type, u32::from_be_bytes([l0, l1, l2, l3]))))
}

/// Reads the data of a critical chunk.
fn read_unchecked(input: &mut Input, length: u32) -> io::Result<Vec<u8>> {
    if length > MAX_CHUNK {
        return Err(invalid("a critical chunk is too long"));
    }
    let mut data = vec![0; length as usize];
    input.read_exact(&mut data)?;
    input.seek_relative(CHECKSUM_BYTES)?;
    Ok(data)
}

/// Reads the data of an ancillary chunk; `None` if it is longer than `max` or damaged.
fn read_checked(
    input: &mut Input,
    chunk_type: [u8; 4],
    length: u32,
    max: u32,
) -> io::Result<Option<Vec<u8>>> {
    if length > max {
        input.seek_relative(i64::from(length) + CHECKSUM_BYTES)?;
        return Ok(None);
    }
    let mut data = vec![0; length as usize];
    input.read_exact(&mut data)?;
    let mut checksum = [0; CHECKSUM_BYTES as usize];
    input.read_exact(&mut checksum)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&chunk_type);
    hasher.update(&data);
    Ok((hasher.finalize() == u32::from_be_bytes(checksum)).then_some(data))
}
