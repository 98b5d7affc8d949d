//! Image processing without a backend.

use bytes::Bytes;

use crate::{
    error::Result,
    image::{ImageLimits, ImageProcessor, ImageSource},
    media::{Exif, Metadata, Rendition},
    owner::Owner,
};

/// The image processor of the backends, for this crate's own tests and benches.
///
/// Clones share one pixel budget. A call needs a tokio runtime.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Images {
    processor: ImageProcessor,
    owner: Owner,
}

impl Images {
    /// Creates a processor with these limits.
    pub fn new(limits: ImageLimits) -> Self {
        let owner = Owner::new("images").expect("a valid owner");
        Self { processor: ImageProcessor::new(limits), owner }
    }

    /// Returns the same processor and budget for the images of another owner.
    #[must_use]
    pub fn of_owner(&self, owner: Owner) -> Self {
        Self { owner, ..self.clone() }
    }

    /// Reads the header of an image. Returns `None` if the type has no renditions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`](crate::ErrorKind::Failed) if the header is invalid or exceeds the limits.
    pub async fn read(&self, bytes: impl Into<Bytes>) -> Result<Option<(Metadata, Option<Exif>)>> {
        let info = self.processor.read_info(&self.owner, ImageSource::Bytes(bytes.into())).await?;
        Ok(info.map(|info| (info.metadata, info.exif)))
    }

    /// Decodes the image once and makes all renditions, in their order.
    ///
    /// # Errors
    ///
    /// Those of a download of a rendition: see [`ImageLimits`].
    pub async fn make(
        &self,
        bytes: impl Into<Bytes>,
        renditions: &[Rendition],
    ) -> Result<Vec<Bytes>> {
        let made = self
            .processor
            .render(&self.owner, ImageSource::Bytes(bytes.into()), renditions)
            .await?;
        Ok(made.into_iter().map(|rendered| rendered.bytes).collect())
    }
}
