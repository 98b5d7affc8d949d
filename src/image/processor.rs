//! The only entry point to decoders: admission, deadline and panic containment.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    ImageSource, Rendered, admission::Admission, deadline::Deadline, decode, encode,
    format::Format as SourceFormat, header::Header, identity::Identity, input, limits::ImageLimits,
    resize,
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::{Exif, Fit, Format, Metadata, Rendition, Transform, media_type},
    owner::Owner,
};

/// The header of an image, as its record has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageInfo {
    pub(crate) metadata: Metadata,
    pub(crate) exif: Option<Exif>,
}

/// Reads and processes untrusted images within [`ImageLimits`]. Clones share the limits.
#[derive(Debug, Clone)]
pub(crate) struct ImageProcessor {
    limits: Arc<ImageLimits>,
    admission: Admission,
}

impl Default for ImageProcessor {
    fn default() -> Self {
        Self::new(ImageLimits::default())
    }
}

impl ImageProcessor {
    pub(crate) fn new(limits: ImageLimits) -> Self {
        Self { admission: Admission::new(&limits), limits: Arc::new(limits) }
    }

    /// Reads the header of an image; `None` for other files and for formats that cannot be decoded.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`] if the header is invalid or over the limits; [`ErrorKind::Unavailable`] if too
    /// many images are waiting; [`ErrorKind::Timeout`] at the deadline.
    pub(crate) async fn read_info(
        &self,
        owner: &Owner,
        source: ImageSource,
    ) -> Result<Option<ImageInfo>> {
        let header = self.read_header(owner, source).await?;
        Ok(header.map(|header| ImageInfo { metadata: header.metadata(), exif: header.exif }))
    }

    /// Identifies a file by its magic bytes, confirmed by its header; the declared type is a hint for files
    /// without magic bytes (promise P4). `head` is the beginning of the file.
    ///
    /// # Errors
    ///
    /// Those of [`read_info`](Self::read_info), except that an image whose header cannot be read keeps the type
    /// of its magic bytes and has a [failure](Identity::failure).
    pub(crate) async fn identify(
        &self,
        owner: &Owner,
        source: ImageSource,
        head: &Bytes,
        hint: Option<&str>,
    ) -> Result<Identity> {
        let (info, failure) = match self.read_info(owner, source).await {
            Ok(info) => (info, None),
            Err(error) => (None, Some(error.failure_reason().ok_or(error)?)),
        };
        let (metadata, exif) = info.map(|info| (info.metadata, info.exif)).unzip();
        let mime_type = media_type(head, hint);
        Ok(Identity { mime_type, metadata, exif: exif.flatten(), failure })
    }

    /// Makes all `renditions` from one decode: upright, in sRGB, without metadata, never enlarged. The work
    /// counts as that of the owner of the media.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the file is not an image, or the rendition's format cannot be encoded;
    /// [`ErrorKind::Failed`] for an image that is broken or over the limits; [`ErrorKind::InvalidInput`] for
    /// [`Rendition::Original`], and for a rendition over the limits while smaller ones are not;
    /// [`ErrorKind::Unavailable`] if too many images are waiting; [`ErrorKind::Timeout`] at the deadline.
    ///
    /// # Cancellation safety
    ///
    /// If the future is dropped, work that has begun continues until its end or the deadline, and keeps its
    /// part of the pixel budget.
    pub(crate) async fn render(
        &self,
        owner: &Owner,
        source: ImageSource,
        renditions: &[Rendition],
    ) -> Result<Vec<Rendered>> {
        let transforms = renditions.iter().map(supported_transform).collect::<Result<Vec<_>>>()?;
        let Some(header) = self.read_header(owner, source.clone()).await? else {
            let message = "renditions are made of images only, and the file is not an image";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let size = header.display_size();
        let transforms: Vec<_> =
            transforms.iter().map(|transform| transform.fitted_to(size)).collect();
        let pixels = self.count_pixels(&header, &transforms)?;
        let permit = self.admission.admit_pixels(owner, pixels, self.limits.timeout).await?;
        let limits = self.limits.clone();
        self.off_thread(move |deadline| {
            let input = input::open(&source, deadline)?;
            let decoded = decode::decode(input, &header, &transforms, &limits)?;
            let images = resize::resize_all(decoded, &header, &transforms, deadline)?;
            let second_thread = permit.try_second_thread();
            encode::encode_all(images, &transforms, second_thread.is_some(), deadline)
        })
        .await
    }

    async fn read_header(&self, owner: &Owner, source: ImageSource) -> Result<Option<Header>> {
        let permit = self.admission.admit_header_read(owner, self.limits.timeout).await?;
        let limits = self.limits.clone();
        self.off_thread(move |deadline| {
            let _permit = permit;
            let mut input = input::open(&source, deadline)?;
            let Some(format) = SourceFormat::sniff(&mut input)? else { return Ok(None) };
            match Header::read(format, input, &limits) {
                Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
                header => header.map(Some),
            }
        })
        .await
    }

    /// Counts the pixels in memory at once: the source image, and the canvas of each letterboxed rendition,
    /// which can be larger than the source.
    fn count_pixels(&self, header: &Header, transforms: &[Transform]) -> Result<u64> {
        let mut pixels = u64::from(header.size.0) * u64::from(header.size.1);
        for letterboxed in transforms.iter().filter(|transform| transform.fit() == Fit::Contain) {
            let sides = [letterboxed.width(), letterboxed.height()];
            let canvas: u64 = sides.into_iter().flatten().map(u64::from).product();
            if canvas > self.limits.max_pixels {
                let message = format!(
                    "the letterboxed rendition has {canvas} pixels, and the limit is {}",
                    self.limits.max_pixels
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            pixels += canvas;
        }
        Ok(pixels)
    }

    /// Runs CPU-bound work on a blocking thread until the deadline, and turns a panic into an error.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(Deadline) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Deadline(Instant::now() + self.limits.timeout);
        let work = tokio::task::spawn_blocking(move || work(deadline));
        match tokio::time::timeout(self.limits.timeout, work).await {
            Ok(Ok(result)) if !deadline.has_passed() => result,
            Ok(Err(panic)) => {
                tracing::error!(error = &panic as &dyn std::error::Error, "a decoder panicked");
                Err(Error::new(ErrorKind::Failed, "the image cannot be read").with_source(panic))
            }
            _ => Err(Error::timeout("processing an image", self.limits.timeout)),
        }
    }
}

/// Returns the transform of a rendition whose format can be encoded.
fn supported_transform(rendition: &Rendition) -> Result<Transform> {
    let transform = rendition.transform().ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "the original is not a rendition to be made")
    })?;
    match transform.format() {
        Format::WebP | Format::Jpeg | Format::Png => Ok(transform),
        Format::Avif if cfg!(feature = "avif") => Ok(transform),
        Format::Avif => {
            let message = "AVIF renditions need the feature `avif` of tower-media";
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
