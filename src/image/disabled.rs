//! The image processor without the feature `images`: no decoder, no renditions.

use bytes::Bytes;

use super::{ImageSource, Rendered, identity::Identity};
use crate::{
    error::{Error, ErrorKind, Result},
    media::{Rendition, media_type},
    owner::Owner,
};

/// Identifies files by their magic bytes and makes no renditions.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageProcessor;

impl ImageProcessor {
    /// Returns the type that the magic bytes show, with the declared type as a hint.
    pub(crate) async fn identify(
        &self,
        _: &Owner,
        _: ImageSource,
        head: &Bytes,
        hint: Option<&str>,
    ) -> Result<Identity> {
        let mime_type = media_type(head, hint);
        Ok(Identity { mime_type, metadata: None, exif: None, failure: None })
    }

    /// Fails with [`ErrorKind::Unsupported`].
    pub(crate) async fn render(
        &self,
        _: &Owner,
        _: ImageSource,
        _: &[Rendition],
    ) -> Result<Vec<Rendered>> {
        let what = "renditions need the feature `images` of tower-media";
        Err(Error::new(ErrorKind::Unsupported, what))
    }
}
