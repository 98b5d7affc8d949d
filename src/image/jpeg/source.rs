//! The file as libjpeg reads it.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

use super::header::FrameHeader;
use crate::image::{
    deadline::Deadline,
    input::{Input, invalid},
};

/// Bounds the scans of a progressive file: each scan visits all coefficients, and costs 10 bytes of file.
const MAX_SCANS: u32 = 500;

/// The bytes handed to libjpeg between two checks of the deadline and of [`MAX_SCANS`].
const CHUNK: usize = 512;

/// The progress of libjpeg in the file.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) is_at_end: Cell<bool>,
    pub(super) later_scans: Cell<u32>,
}

/// The file as libjpeg reads it, which fails at the deadline. It is padded with end markers without end,
/// because libjpeg fails at an end of file within a segment and keeps its pixels at an end marker.
pub(super) struct DecoderInput {
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
    pub(super) fn new(
        input: Input,
        header: &FrameHeader,
        deadline: Deadline,
        progress: Rc<Progress>,
    ) -> Self {
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
