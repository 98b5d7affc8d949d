//! Renditions without a store.

use bytes::Bytes;

use crate::{
    ImageLimits,
    error::Result,
    image::{ImageProcessor, ImageSource},
    media::{Exif, Metadata, Rendition},
};

/// Reads and makes pictures as the embedded store does, through the same door and limits, without
/// a store: to see what becomes of one's own pictures, and to measure.
///
/// Clones share one budget of pixels. A call needs a tokio runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_media::{ErrorKind, ImageLimits, Rendition, Variant, testkit::Darkroom};
///
/// let darkroom = Darkroom::new(ImageLimits::new());
/// # let pixel = b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
/// let read = darkroom.read(&pixel[..]).await?.expect("a picture");
/// assert_eq!((read.0.width, read.0.height), (1, 1));
///
/// let made = darkroom.make(&pixel[..], &[Variant::Thumbnail.into(), Rendition::png(64)]).await?;
/// assert!(made[0].starts_with(b"RIFF") && made[1].starts_with(b"\x89PNG"));
///
/// let refused = darkroom.make("<svg/>", &[Rendition::png(64)]).await.unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Unsupported);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Darkroom(ImageProcessor);

impl Darkroom {
    /// Begins with an empty budget under these limits.
    pub fn new(limits: ImageLimits) -> Self {
        Self(ImageProcessor::new(limits))
    }

    /// Reads the header of a picture; `None` is for what renditions are not made of.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`](crate::ErrorKind::Failed) for a broken header or one over the limits.
    pub async fn read(&self, bytes: impl Into<Bytes>) -> Result<Option<(Metadata, Option<Exif>)>> {
        let probe = self.0.probe(ImageSource::Bytes(bytes.into())).await?;
        Ok(probe.map(|probe| (probe.metadata, probe.exif)))
    }

    /// Makes all renditions from one decode, in their order.
    ///
    /// # Errors
    ///
    /// Those of asking a store for a rendition: see [`ImageLimits`].
    pub async fn make(
        &self,
        bytes: impl Into<Bytes>,
        renditions: &[Rendition],
    ) -> Result<Vec<Bytes>> {
        let made = self.0.render(ImageSource::Bytes(bytes.into()), renditions).await?;
        Ok(made.into_iter().map(|rendered| rendered.bytes).collect())
    }
}
