//! What a stranger's bytes are.

use bytes::Bytes;

use super::{ImageProcessor, ImageSource, Probe};
use crate::{
    error::{ErrorKind, Result},
    media::{Exif, MediaStatus, Metadata, media_type},
};

/// What bytes are, as their record says it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub(crate) mime_type: String,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) exif: Option<Exif>,
    is_broken: bool,
}

impl Identity {
    /// The status if nothing is to be made of it ahead.
    pub(crate) fn status(&self) -> MediaStatus {
        if self.is_broken { MediaStatus::Failed } else { MediaStatus::Ready }
    }

    /// Whether renditions can be made of it.
    pub(crate) fn is_picture(&self) -> bool {
        self.metadata.is_some()
    }
}

impl ImageProcessor {
    /// Finds out what bytes are: they decide, their header confirms it, and what the client says is a
    /// hint where they say nothing (promise P4). `head` are the first of them.
    pub(crate) async fn identify(
        &self,
        source: ImageSource,
        head: &Bytes,
        hint: Option<&str>,
    ) -> Result<Identity> {
        let probe = match self.probe(source).await {
            // They begin like a picture and are none: nothing shall show them as one.
            Err(error) if error.kind() == ErrorKind::Failed => {
                return Ok(Identity {
                    mime_type: mime::APPLICATION_OCTET_STREAM.to_string(),
                    metadata: None,
                    exif: None,
                    is_broken: true,
                });
            }
            probe => probe?,
        };
        let (metadata, exif) = probe.map(|Probe { metadata, exif }| (metadata, exif)).unzip();
        let mime_type = media_type(head, hint);
        Ok(Identity { mime_type, metadata, exif: exif.flatten(), is_broken: false })
    }
}
