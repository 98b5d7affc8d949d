//! The input of decoders, which fails at the deadline.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
};

use super::{deadline::Deadline, source::ImageSource};
use crate::{
    error::{Error, ErrorKind, Result},
    media::FailureReason,
};

/// The bytes read between two checks of the deadline.
const BUFFER: usize = 8 << 10;

/// A seekable reader that fails once the deadline has passed, which stops decoders that read as they proceed.
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
            Error::new(ErrorKind::Unavailable, "the file of the image cannot be opened")
                .with_source(error)
        })?),
    };
    Ok(BufReader::with_capacity(BUFFER, Timed { source, deadline }))
}

/// Returns the deadline of reading.
pub(super) fn deadline(input: &Input) -> Deadline {
    input.get_ref().deadline
}

/// Returns the error for a failed decoder: a timeout if the deadline has passed, and unsupported if the
/// decoder failed with [`io::ErrorKind::Unsupported`].
pub(super) fn failed(
    deadline: Deadline,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let error = error.into();
    let is_unsupported = |error: &io::Error| error.kind() == io::ErrorKind::Unsupported;
    let reason = match error.downcast_ref().is_some_and(is_unsupported) {
        true => FailureReason::Unsupported,
        false => FailureReason::Unreadable,
    };
    match deadline.check() {
        Err(late) => late.with_source(error),
        Ok(()) => Error::failed(reason, "the image cannot be read").with_source(error),
    }
}

/// Returns the error for a file that is damaged.
pub(super) fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
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
