//! Downloads: the requested rendition and range, and the response stream.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream, stream::BoxStream};

use crate::{
    error::{Error, ErrorKind, Result},
    id::ContentHash,
    media::{ByteRange, ContentRange, Rendition, Transform, Variant, display_name},
    util::byte_stream::{collect, too_large},
};

/// The rendition to deliver, or a range of it.
///
/// ```
/// use tower_media::{media::{ByteRange, DownloadOptions}, Rendition};
///
/// let preview = DownloadOptions::new(Rendition::Original).with_range(0..=1023);
/// assert_eq!(preview.range(), Some(ByteRange::Bounded { first: 0, last: 1023 }));
/// assert_eq!(DownloadOptions::from(Rendition::png(64)).range(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DownloadOptions {
    rendition: Rendition,
    range: Option<ByteRange>,
    redirect: Option<Duration>,
    attachment: bool,
}

impl DownloadOptions {
    /// Requests the whole of a rendition.
    pub fn new(rendition: Rendition) -> Self {
        Self { rendition, range: None, redirect: None, attachment: false }
    }

    /// Requests a range. A backend may ignore it and deliver the whole (RFC 9110, section 14.2);
    /// [`Download::part`] returns the range that it delivers.
    #[must_use]
    pub fn with_range(mut self, range: impl Into<ByteRange>) -> Self {
        self.range = Some(range.into());
        self
    }

    /// Allows the backend to answer with a [redirect](Download::redirect) to a URL that delivers the bytes to
    /// every client that has it, for `expires_in`. The client sends the range with its request to that URL.
    ///
    /// A backend without such URLs delivers the bytes.
    #[must_use]
    pub fn with_redirect(mut self, expires_in: Duration) -> Self {
        self.redirect = Some(expires_in);
        self
    }

    /// Requests a [redirect](Self::with_redirect) to bytes that a browser saves instead of displaying them, as
    /// [`Download::as_attachment`] does for bytes.
    #[must_use]
    pub fn as_attachment(mut self) -> Self {
        self.attachment = true;
        self
    }

    /// Returns the rendition.
    pub fn rendition(&self) -> Rendition {
        self.rendition
    }

    /// Returns the requested range, or `None` for the whole.
    pub fn range(&self) -> Option<ByteRange> {
        self.range
    }

    /// Returns how long the URL of a redirect may be valid, or `None` if the bytes are requested.
    pub fn redirect(&self) -> Option<Duration> {
        self.redirect
    }

    /// Returns whether the bytes behind a redirect are to be saved.
    pub fn is_attachment(&self) -> bool {
        self.attachment
    }

    /// Resolves the range for content of `total` bytes, for backends that deliver ranges. `None` means the
    /// whole.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RangeNotSatisfiable`](crate::ErrorKind::RangeNotSatisfiable) if the range is beyond
    /// the end of the content.
    pub fn part_of(&self, total: u64) -> Result<Option<ContentRange>> {
        let Some(range) = self.range else { return Ok(None) };
        let part = range.resolve(total).and_then(|range| ContentRange::new(range, total));
        part.map(Some).ok_or_else(|| Error::range_not_satisfiable(Some(total)))
    }
}

impl From<Rendition> for DownloadOptions {
    fn from(rendition: Rendition) -> Self {
        Self::new(rendition)
    }
}

impl From<Variant> for DownloadOptions {
    fn from(variant: Variant) -> Self {
        Self::new(variant.into())
    }
}

impl From<Transform> for DownloadOptions {
    fn from(transform: Transform) -> Self {
        Self::new(transform.into())
    }
}

/// The bytes of one rendition or of a range of it, as a stream.
///
/// A handler may return it: the response is 200, or 206 for a range, and its headers make an untrusted file
/// safe to serve (promise P8).
///
/// ```
/// use axum::{http::header, response::IntoResponse};
/// use tower_media::media::Download;
///
/// let page = Download::from_bytes("text/html", "<script>".into()).with_file_name("page.html");
/// let response = page.into_response();
/// let disposition = &response.headers()[header::CONTENT_DISPOSITION];
/// assert_eq!(disposition, "attachment; filename=\"page.html\"");
/// ```
#[must_use = "nothing is read until the download is consumed"]
pub struct Download {
    content_type: String,
    length: Option<u64>,
    part: Option<ContentRange>,
    accepts_ranges: bool,
    hash: Option<ContentHash>,
    etag: Option<String>,
    last_modified: Option<SystemTime>,
    file_name: Option<String>,
    disposition: Disposition,
    redirect: Option<String>,
    body: BoxStream<'static, Result<Bytes>>,
}

impl Download {
    /// Creates a download of a stream of chunks.
    pub fn from_stream(
        content_type: impl Into<String>,
        body: BoxStream<'static, Result<Bytes>>,
    ) -> Self {
        Self {
            content_type: content_type.into(),
            length: None,
            part: None,
            accepts_ranges: false,
            hash: None,
            etag: None,
            last_modified: None,
            file_name: None,
            disposition: Disposition::ByType,
            redirect: None,
            body,
        }
    }

    /// Creates a download of bytes in memory.
    pub fn from_bytes(content_type: impl Into<String>, bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        let body = stream::once(async move { Ok(bytes) }).boxed();
        Self::from_stream(content_type, body).with_length(length)
    }

    /// Sets the length of the stream in bytes.
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Declares that the stream contains only this range. Sets the length, and accepts ranges.
    pub fn with_part(mut self, part: ContentRange) -> Self {
        self.part = Some(part);
        self.with_length(part.len()).accepting_ranges()
    }

    /// Declares that the backend delivers ranges of this content.
    pub fn accepting_ranges(mut self) -> Self {
        self.accepts_ranges = true;
        self
    }

    /// Sets the SHA-256 of the whole. It is also the entity tag, unless another one is set.
    pub fn with_hash(mut self, hash: ContentHash) -> Self {
        self.hash = Some(hash);
        self
    }

    /// Sets the entity tag, in quotes as in the header (RFC 9110, section 8.8.3): `"v1-800"`. The tag of
    /// a rendition must change whenever its bytes change. An invalid tag is ignored.
    pub fn with_etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into()).filter(|etag| is_etag(etag));
        self
    }

    /// Sets the time of the last change.
    pub fn with_last_modified(mut self, time: SystemTime) -> Self {
        self.last_modified = Some(time);
        self
    }

    /// Sets the file name for saving. It is sanitized like the name of an
    /// [`Upload`](crate::Upload::file_name) (promise P9).
    pub fn with_file_name(mut self, name: impl AsRef<str>) -> Self {
        self.file_name = display_name(name.as_ref());
        self
    }

    /// Makes a browser save the bytes, even if they are an image that it could display.
    pub fn as_attachment(mut self) -> Self {
        self.disposition = Disposition::Attachment;
        self
    }

    /// Lets a browser display audio, video and PDF instead of saving them. Scripts do not run in these types;
    /// every other type is delivered as before (promise P8).
    pub fn as_inline(mut self) -> Self {
        self.disposition = Disposition::Inline;
        self
    }

    /// Sets the URL that delivers the bytes in place of this download, whose own bytes are then
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    ///
    /// The URL must deliver the type and the disposition that
    /// [`response_headers`](Self::response_headers) returns, and must expire within the time that
    /// [`DownloadOptions::redirect`] returns.
    pub fn with_redirect(mut self, url: impl Into<String>) -> Self {
        self.redirect = Some(url.into());
        let message = "the bytes are at the URL of the redirect";
        self.body =
            stream::once(async move { Err(Error::new(ErrorKind::Unsupported, message)) }).boxed();
        self
    }

    /// Returns the MIME type.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Returns the length of the stream in bytes, if known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the range that the stream contains, or `None` for the whole.
    pub fn part(&self) -> Option<ContentRange> {
        self.part
    }

    /// Returns whether the backend delivers ranges of this content.
    pub fn accepts_ranges(&self) -> bool {
        self.accepts_ranges
    }

    /// Returns the SHA-256 of the whole, if known.
    pub fn hash(&self) -> Option<ContentHash> {
        self.hash
    }

    /// Returns the entity tag of the whole, in quotes. Strong, unless the backend set a weak one.
    pub fn etag(&self) -> Option<String> {
        self.etag.clone().or_else(|| Some(format!("\"{}\"", self.hash?)))
    }

    /// Returns the time of the last change, if known.
    pub fn last_modified(&self) -> Option<SystemTime> {
        self.last_modified
    }

    /// Returns the file name for saving, if there is one.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns whether a browser saves the bytes even if it could display them.
    pub fn is_attachment(&self) -> bool {
        self.disposition == Disposition::Attachment
    }

    /// Returns whether a browser may display audio, video and PDF.
    pub(crate) fn is_inline(&self) -> bool {
        self.disposition == Disposition::Inline
    }

    /// Returns the URL that delivers the bytes in place of this download.
    pub fn redirect(&self) -> Option<&str> {
        self.redirect.as_deref()
    }

    /// Returns the bytes as a stream of chunks.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        self.body
    }

    /// Reads everything into memory, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) beyond the limit, without
    /// reading if the length is known; and the errors of the stream.
    pub async fn into_bytes(self, limit: usize) -> Result<Bytes> {
        if self.length.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit as u64));
        }
        collect(self.body, limit).await
    }
}

/// The choice between displaying and saving the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposition {
    /// Raster images are displayed, other types saved.
    ByType,
    /// Audio, video and PDF are displayed as well.
    Inline,
    Attachment,
}

/// Returns whether this is an entity tag of RFC 9110, section 8.8.3, in ASCII.
fn is_etag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let inside = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.is_some_and(|tag| tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'))
}

impl fmt::Debug for Download {
    // File names stay out of logs (promise G16).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .field("part", &self.part)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
