//! What to deliver, and bytes on their way out.

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

/// What to deliver: a rendition, or a part of one.
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
    /// Begins with the whole of a rendition.
    pub fn new(rendition: Rendition) -> Self {
        Self { rendition, range: None, redirect: None, attachment: false }
    }

    /// Asks for a part only. A backend may deliver the whole all the same (RFC 9110, section 14.2):
    /// [`Download::part`] says what it delivers.
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

    /// Returns which part is asked for, or `None` for the whole.
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

    /// Returns which part of `total` bytes is to be delivered, or `None` for the whole: what a backend
    /// does that serves ranges.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RangeNotSatisfiable`](crate::ErrorKind::RangeNotSatisfiable) if the range has none of
    /// these bytes.
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

/// The bytes of one rendition or of a part of it, as a stream that has not been read yet.
///
/// It is a response as well, 200 or 206 for a part, with the headers that make a stranger's file safe
/// to serve (promise P8): a handler may return it as it is.
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
    attachment: bool,
    redirect: Option<String>,
    body: BoxStream<'static, Result<Bytes>>,
}

impl Download {
    /// Begins a download of bytes that arrive piece by piece.
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
            attachment: false,
            redirect: None,
            body,
        }
    }

    /// Begins a download of bytes that are at hand.
    pub fn from_bytes(content_type: impl Into<String>, bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        let body = stream::once(async move { Ok(bytes) }).boxed();
        Self::from_stream(content_type, body).with_length(length)
    }

    /// Says how many bytes will come.
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Says that only this part will come, and with it how many bytes; and that parts may be asked
    /// for.
    pub fn with_part(mut self, part: ContentRange) -> Self {
        self.part = Some(part);
        self.with_length(part.len()).accepting_ranges()
    }

    /// Says that a part may be asked for instead of the whole.
    pub fn accepting_ranges(mut self) -> Self {
        self.accepts_ranges = true;
        self
    }

    /// Says what the SHA-256 of the whole is. It is the entity tag too, unless there is another.
    pub fn with_hash(mut self, hash: ContentHash) -> Self {
        self.hash = Some(hash);
        self
    }

    /// Sets the entity tag, in quotes as in the header (RFC 9110, section 8.8.3): `"v1-800"`. A
    /// rendition needs one that changes whenever its bytes do. A text that is no entity tag is left
    /// out.
    pub fn with_etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into()).filter(|etag| is_etag(etag));
        self
    }

    /// Says when the bytes last changed.
    pub fn with_last_modified(mut self, time: SystemTime) -> Self {
        self.last_modified = Some(time);
        self
    }

    /// Sets the name under which the bytes are saved. Like the name of an
    /// [`Upload`](crate::Upload::file_name) it is made safe to show (promise P9).
    pub fn with_file_name(mut self, name: impl AsRef<str>) -> Self {
        self.file_name = display_name(name.as_ref());
        self
    }

    /// Makes a browser save the bytes, even if they are a picture that it could show.
    pub fn as_attachment(mut self) -> Self {
        self.attachment = true;
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

    /// Returns how many bytes will come, if that is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns which part of the whole will come, or `None` if it is the whole.
    pub fn part(&self) -> Option<ContentRange> {
        self.part
    }

    /// Returns whether a part may be asked for instead of the whole.
    pub fn accepts_ranges(&self) -> bool {
        self.accepts_ranges
    }

    /// Returns the SHA-256 of the whole, if that is known.
    pub fn hash(&self) -> Option<ContentHash> {
        self.hash
    }

    /// Returns the entity tag of the whole, in quotes. Strong, unless the backend set a weak one.
    pub fn etag(&self) -> Option<String> {
        self.etag.clone().or_else(|| Some(format!("\"{}\"", self.hash?)))
    }

    /// Returns when the bytes last changed, if that is known.
    pub fn last_modified(&self) -> Option<SystemTime> {
        self.last_modified
    }

    /// Returns the name under which the bytes are saved, if there is one.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns whether a browser saves the bytes whatever they are.
    pub fn is_attachment(&self) -> bool {
        self.attachment
    }

    /// Returns the URL that delivers the bytes in place of this download.
    pub fn redirect(&self) -> Option<&str> {
        self.redirect.as_deref()
    }

    /// Returns the bytes as they come.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        self.body
    }

    /// Reads everything into memory, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) beyond the limit, before anything is
    /// read where the length is known; what the stream fails with.
    pub async fn into_bytes(self, limit: usize) -> Result<Bytes> {
        if self.length.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit as u64));
        }
        collect(self.body, limit).await
    }
}

/// Whether this is an entity tag as RFC 9110, section 8.8.3 has it, in ASCII.
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
