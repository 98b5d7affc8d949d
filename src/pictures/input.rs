//! Bytes for decoders, until the deadline.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom},
};

use super::{Deadline, PictureSource};
use crate::error::{Error, ErrorKind, Result};

/// How many calls pass between two looks at the clock: decoders read byte by byte.
const CALLS_PER_LOOK: u32 = 1024;

/// Something seekable to read from that fails once the deadline has passed.
///
/// No decoder can be interrupted otherwise, and each of them reads as it goes on.
pub(super) struct Input {
    source: Box<dyn Source>,
    pub(super) deadline: Deadline,
    calls: u32,
}

trait Source: BufRead + Seek {}
impl<T: BufRead + Seek> Source for T {}

impl Input {
    pub(super) fn open(source: &PictureSource, deadline: Deadline) -> Result<Self> {
        let source: Box<dyn Source> = match source {
            PictureSource::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
            PictureSource::File(path) => {
                let missing = |error: io::Error| {
                    Error::new(ErrorKind::Unavailable, "the picture's file cannot be opened")
                        .with_source(error)
                };
                Box::new(BufReader::with_capacity(64 << 10, File::open(path).map_err(missing)?))
            }
        };
        Ok(Self { source, deadline, calls: 0 })
    }

    /// The error for a decoder that gave up.
    pub(super) fn failed(
        deadline: Deadline,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        match deadline.check() {
            Err(late) => late.with_source(error),
            Ok(()) => {
                Error::new(ErrorKind::Failed, "the picture cannot be read").with_source(error)
            }
        }
    }

    fn in_time(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.calls.is_multiple_of(CALLS_PER_LOOK) && self.deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time()?;
        self.source.read(buffer)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.in_time()?;
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
    }
}

impl Seek for Input {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.source.seek(position)
    }
}
