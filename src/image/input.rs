//! Bytes for decoders, until the deadline.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
};

use super::{ImageSource, deadline::Deadline};
use crate::error::{Error, ErrorKind, Result};

/// Decoders ask for single bytes, and the clock is looked at once for so many of them.
const BUFFER: usize = 8 << 10;

/// Something seekable to read from that fails once the deadline has passed.
///
/// No decoder can be interrupted otherwise, and each of them reads as it goes on.
pub(super) type Input = BufReader<Timed>;

pub(super) struct Timed {
    source: Box<dyn Source>,
    deadline: Deadline,
}

trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

pub(super) fn open(source: &ImageSource, deadline: Deadline) -> Result<Input> {
    let source: Box<dyn Source> = match source {
        ImageSource::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
        ImageSource::File(path) => Box::new(File::open(path).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the picture's file cannot be opened")
                .with_source(error)
        })?),
    };
    Ok(BufReader::with_capacity(BUFFER, Timed { source, deadline }))
}

/// When reading has to end.
pub(super) fn deadline(input: &Input) -> Deadline {
    input.get_ref().deadline
}

/// The error for a decoder that gave up.
pub(super) fn failed(
    deadline: Deadline,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    match deadline.check() {
        Err(late) => late.with_source(error),
        Ok(()) => Error::new(ErrorKind::Failed, "the picture cannot be read").with_source(error),
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.source.read(buffer)
    }
}

impl Seek for Timed {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.source.seek(position)
    }
}
