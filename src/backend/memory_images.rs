//! What is told and made of pictures in memory: with the feature `store` what that store does, and
//! without it nothing, for there is no decoder then.

use bytes::Bytes;

use crate::{
    error::Result,
    media::{Download, Exif, MediaStatus, Metadata, Transform},
};

/// What bytes are.
pub(super) struct Described {
    pub(super) mime_type: String,
    pub(super) status: MediaStatus,
    pub(super) metadata: Option<Metadata>,
    pub(super) exif: Option<Exif>,
}

#[cfg(feature = "store")]
#[derive(Debug, Clone)]
pub(super) struct MemoryImages(crate::image::ImageProcessor);

#[cfg(feature = "store")]
impl Default for MemoryImages {
    fn default() -> Self {
        Self(crate::image::ImageProcessor::new(Default::default()))
    }
}

#[cfg(feature = "store")]
impl MemoryImages {
    pub(super) async fn describe(&self, bytes: &Bytes, hint: Option<&str>) -> Result<Described> {
        let source = crate::image::ImageSource::Bytes(bytes.clone());
        let found = self.0.identify(source, bytes, hint).await?;
        let status = found.status();
        let (metadata, exif) = (found.metadata, found.exif);
        Ok(Described { mime_type: found.mime_type, status, metadata, exif })
    }

    pub(super) async fn render(&self, bytes: Bytes, transform: Transform) -> Result<Download> {
        let source = crate::image::ImageSource::Bytes(bytes);
        let made = self.0.render(source, &[transform.into()]).await?;
        let made = made.into_iter().next().expect("there is one for each that was asked for");
        let hash = crate::id::ContentHash::of(&made.bytes);
        Ok(Download::from_bytes(made.mime_type, made.bytes).with_hash(hash))
    }
}

#[cfg(not(feature = "store"))]
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryImages;

#[cfg(not(feature = "store"))]
impl MemoryImages {
    pub(super) async fn describe(&self, bytes: &Bytes, hint: Option<&str>) -> Result<Described> {
        let mime_type = crate::media::media_type(bytes, hint);
        Ok(Described { mime_type, status: MediaStatus::Ready, metadata: None, exif: None })
    }

    pub(super) async fn render(&self, _: Bytes, _: Transform) -> Result<Download> {
        let what = "without the feature `store` there are no renditions of media in memory";
        Err(crate::error::Error::new(crate::error::ErrorKind::Unsupported, what))
    }
}
