//! The only entry point to decoders: admission, deadline, panic containment.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    ImageLimits, ImageSource, Rendered, deadline::Deadline, decode, encode, identity::Identity,
    input, resize,
};
use super::{
    admission::Admission,
    header::{Header, Kind},
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::{Exif, Fit, Format, Metadata, Rendition, Transform, media_type},
};

/// What the header of a picture says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Probe {
    pub(crate) metadata: Metadata,
    pub(crate) exif: Option<Exif>,
}

/// The one door through which pictures are read and made.
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

    /// Reads the header of a picture, and no pixel.
    ///
    /// `None` is for what is no picture that renditions can be made of. A picture whose header is
    /// broken, or that is over the limits, is [`ErrorKind::Failed`].
    pub(crate) async fn probe(&self, source: ImageSource) -> Result<Option<Probe>> {
        let header = self.header(source).await?;
        Ok(header.map(|header| Probe { metadata: header.metadata(), exif: header.exif }))
    }

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

    /// Makes all `renditions` from one decode: upright, in sRGB, without metadata, never enlarged.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for what is no picture and for formats that are not written;
    /// [`ErrorKind::Failed`] for a picture that is broken or over the limits;
    /// [`ErrorKind::InvalidInput`] for the original, which is no rendition, and for a rendition that
    /// is over the limits while smaller ones are not; [`ErrorKind::Unavailable`] when too many pixels wait already;
    /// [`ErrorKind::Timeout`] at the deadline.
    ///
    /// # Cancellation safety
    ///
    /// Work that has begun goes on to its end or deadline and holds its part of the budget so long.
    pub(crate) async fn render(
        &self,
        source: ImageSource,
        renditions: &[Rendition],
    ) -> Result<Vec<Rendered>> {
        let transforms = renditions.iter().map(wanted).collect::<Result<Vec<_>>>()?;
        let Some(header) = self.header(source.clone()).await? else {
            return Err(Error::new(ErrorKind::Unsupported, "renditions are made of pictures only"));
        };
        let fitted: Vec<_> =
            transforms.iter().map(|transform| transform.fitted_to(header.shown())).collect();
        let pixels = self.pixels(&header, &fitted)?;
        let permit = self.admission.enter(pixels, self.limits.timeout).await?;
        let limits = self.limits.clone();
        self.off_thread(move |deadline| {
            let helper = permit.helper();
            let input = input::open(&source, deadline)?;
            let decoded = decode::decode(input, &header, &fitted, &limits)?;
            let scaled = resize::scale(decoded, header.orientation, &fitted, header.shown())?;
            deadline.check()?;
            encode::encode_all(scaled, &fitted, helper.is_some())
        })
        .await
    }

    async fn header(&self, source: ImageSource) -> Result<Option<Header>> {
        let limits = self.limits.clone();
        self.off_thread(move |deadline| {
            let input = input::open(&source, deadline)?;
            let Some((kind, input)) = Kind::of(input)? else { return Ok(None) };
            Header::read(kind, input, &limits).map(Some)
        })
        .await
    }

    /// The pixels to be held in memory at once: the picture, and what is larger than it.
    fn pixels(&self, header: &Header, fitted: &[Transform]) -> Result<u64> {
        let mut pixels = u64::from(header.width) * u64::from(header.height);
        for bars in fitted.iter().filter(|fitted| fitted.fit() == Fit::Contain) {
            let canvas: u64 =
                [bars.width(), bars.height()].into_iter().flatten().map(u64::from).product();
            if canvas > self.limits.max_pixels {
                let most = self.limits.max_pixels;
                let message =
                    format!("bars would make it {canvas} pixels large, and {most} may be");
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            pixels += canvas;
        }
        Ok(pixels)
    }

    /// Does work that may take long or panic where neither hurts.
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
                Err(Error::new(ErrorKind::Failed, "the picture cannot be read").with_source(panic))
            }
            _ => Err(Error::timeout("the work on a picture", self.limits.timeout)),
        }
    }
}

/// The transform behind a rendition that can be made here.
fn wanted(rendition: &Rendition) -> Result<Transform> {
    let transform = rendition
        .transform()
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the original is no rendition"))?;
    match transform.format() {
        Format::WebP | Format::Jpeg | Format::Png => Ok(transform),
        Format::Avif if cfg!(feature = "avif") => Ok(transform),
        Format::Avif => Err(Error::new(ErrorKind::Unsupported, "AVIF is not written here")),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
