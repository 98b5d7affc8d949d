//! The type and metadata of a file for its record.

use crate::media::{Exif, FailureReason, MediaStatus, Metadata};

/// The identified type of a file, with its metadata if it is an image that can be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub(crate) mime_type: String,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) exif: Option<Exif>,
    /// The reason why the header of an image cannot be read.
    pub(crate) failure: Option<FailureReason>,
}

impl Identity {
    /// Returns the status of the record if no variant is made ahead.
    pub(crate) fn status(&self) -> MediaStatus {
        if self.failure.is_some() { MediaStatus::Failed } else { MediaStatus::Ready }
    }

    /// Returns whether renditions can be made of it.
    #[cfg(feature = "store")]
    pub(crate) fn is_image(&self) -> bool {
        self.metadata.is_some()
    }
}
