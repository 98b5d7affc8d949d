//! The deadline of work on one image.

use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};

/// The instant at which work on an image ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Instant);

impl Deadline {
    pub(super) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }

    /// Fails with [`ErrorKind::Timeout`] once the deadline has passed.
    pub(super) fn check(self) -> Result<()> {
        if self.has_passed() {
            return Err(Error::new(ErrorKind::Timeout, "processing the image took too long"));
        }
        Ok(())
    }
}
