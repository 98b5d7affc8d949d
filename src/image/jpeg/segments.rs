//! Markers, and the segments of metadata.

use std::io::{self, Read};

use crate::image::format::MAX_ICC_PROFILE;

/// The chunks of an ICC profile, each from one APP2 segment, indexed by their sequence number minus 1.
#[derive(Default)]
pub(super) struct ProfileSegments {
    chunks: Vec<Option<Vec<u8>>>,
    bytes: usize,
}

impl ProfileSegments {
    const NAME: &[u8; 12] = b"ICC_PROFILE\0";

    pub(super) fn read_segment(&mut self, input: &mut impl Read, length: u16) -> io::Result<()> {
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
    pub(super) fn assemble(self) -> Option<Vec<u8>> {
        let chunks: Option<Vec<_>> = self.chunks.into_iter().collect();
        chunks.map(|chunks| chunks.concat()).filter(|profile| !profile.is_empty())
    }
}

/// Reads the EXIF data of an APP1 segment; `None` if it holds other data, such as XMP.
pub(super) fn read_exif(input: &mut impl Read, length: u16) -> io::Result<Option<Vec<u8>>> {
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

/// Returns the next marker; skips fill bytes and stray bytes before it.
pub(super) fn next_marker(input: &mut impl Read) -> io::Result<u8> {
    let mut last = 0;
    loop {
        let [byte] = read(input)?;
        if last == 0xFF && !matches!(byte, 0 | 0xFF) {
            return Ok(byte);
        }
        last = byte;
    }
}

pub(super) fn read<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn skip(input: &mut impl Read, bytes: u16) -> io::Result<()> {
    let skipped = io::copy(&mut input.take(bytes.into()), &mut io::sink())?;
    if skipped < bytes.into() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
