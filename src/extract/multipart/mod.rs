//! A multipart form whose media ids are verified before the first byte of a file can be read.

mod content_disposition;
mod reader;

use std::{
    fmt, iter, mem,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::IntoResponse as _,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;

use self::reader::invalid;
pub(crate) use self::reader::{Part, Reader};
use super::{
    GuardedExtractor, MediaIds, Refusal,
    guarded::{ViaStream, limited},
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::Upload,
    ownership::IdCollector,
    util::byte_stream::collect,
};

/// The greatest number of text fields, and of file inputs without a file before the first file.
const MAX_FIELDS: usize = 1_000;

/// The greatest total size of all text fields in bytes, names included.
const MAX_FIELD_BYTES: usize = 256 << 10;

/// The greatest length of a boundary in bytes, by RFC 2046, section 5.1.1. Each chunk of the body is
/// searched for it, so the cost of a small request would grow with the length.
const MAX_BOUNDARY: usize = 70;

/// A multipart form: text fields first, read into `T`, then files, which stream.
///
/// Only the guard makes one, so a handler takes it as `VerifiedMedia<MultipartForm<T>>`. The ids in `T` are
/// verified before the handler can read a byte of a file (promise P11).
///
/// # Behavior
///
/// - A part with a file name is a file; every other part is a text field. A file with an empty name and
///   no bytes is skipped: browsers send it for a file input without a file.
/// - **Text fields come before files**: one after a file was not checked, so
///   [`next_file`](Self::next_file) returns an error for it. Browsers send a form in the order of its
///   inputs.
/// - `T` is deserialised like a query string: a `Vec` collects every part with its name.
/// - A form has at most 1,000 text fields with 256 KiB in total. The whole body is bounded by axum's body
///   limit: 2 MB by default, so an upload route sets another `DefaultBodyLimit`. A boundary is at most 70
///   bytes long (RFC 2046).
/// - Files are not buffered: backpressure stops the body at the part that is being read. The head of a
///   part is at most 16 KiB.
///
/// # Example
///
/// ```
/// use axum::{Json, Router, routing::post};
/// use tower_media::{
///     extract::MultipartForm,
///     Media,
///     MediaIds,
///     MediaState,
///     UnverifiedId,
///     Upload,
///     VerifiedMedia,
///     VerifyMediaLayer,
/// };
///
/// #[derive(serde::Deserialize, MediaIds)]
/// struct Collage {
///     references: Vec<UnverifiedId>,
/// }
///
/// async fn collage(
///     VerifiedMedia(mut form, owned): VerifiedMedia<MultipartForm<Collage>>,
///     media: MediaState,
/// ) -> tower_media::Result<Json<Vec<Media>>> {
///     let mut stored = Vec::new();
///     while let Some(file) = form.next_file().await? {
///         stored.push(media.upload(owned.owner(), Upload::from(file).scope("me")).await?);
///     }
///     Ok(Json(stored))
/// }
///
/// let media = MediaState::in_memory();
/// let app: Router = Router::new()
///     .route("/collage", post(collage).layer(
///         VerifyMediaLayer::<MultipartForm<Collage>>::new(media.clone()).id_count(1..=8),
///     ))
///     .layer(media.layer());
/// ```
pub struct MultipartForm<T> {
    /// The text fields.
    pub fields: T,
    reader: Reader,
    // A file whose head was read, and that was not handed out: that after the fields, or one that a dropped
    // future left.
    next_file: Option<Part>,
}

impl<T> MultipartForm<T> {
    /// Returns the next file, or `None` after the last. The unread rest of the previous file is skipped;
    /// that file must have been dropped.
    ///
    /// # Cancellation safety
    ///
    /// A dropped future loses nothing: the next call continues where it stopped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the form is malformed or has a text field after a file,
    /// [`ErrorKind::TooLarge`] beyond the body limit, [`ErrorKind::Internal`] if the previous file
    /// is still held.
    pub async fn next_file(&mut self) -> Result<Option<FilePart>> {
        loop {
            // Kept in `self` while its first byte is awaited, so that a dropped future does not skip it.
            if let Some(file) = &mut self.next_file {
                let absent = if file.disposition().is_unnamed_file() {
                    file.is_empty().await
                } else {
                    Ok(false)
                };
                let file = self.next_file.take();
                if !absent? {
                    return Ok(file.map(FilePart));
                }
            }
            let Some(part) = self.reader.next().await? else { return Ok(None) };
            if !part.disposition().is_file() {
                let name = part.disposition().name().unwrap_or_default();
                let what = format!(
                    "the form field {name:?} comes after a file, where its media ids can no longer \
                         be checked: put all fields before the first file"
                );
                return Err(invalid(what));
            }
            self.next_file = Some(part);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for MultipartForm<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartForm").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl<T: MediaIds> MediaIds for MultipartForm<T> {
    fn media_ids(&self, ids: &mut IdCollector) {
        self.fields.media_ids(ids);
    }
}

/// A file of a [`MultipartForm`]: a stream of its bytes, which can be read once.
///
/// `Upload::from(file)` takes the stream, the file name, and the type that the client declared.
///
/// [`content_type`](Self::content_type) returns `None` after the file was read to its end.
pub struct FilePart(Part);

impl FilePart {
    /// Returns the name of the form field.
    pub fn name(&self) -> Option<&str> {
        self.0.disposition().name()
    }

    /// Returns the file name that the client sent, which is not safe as a path. `None` if it is not UTF-8.
    pub fn file_name(&self) -> Option<&str> {
        self.0.disposition().file_name()
    }

    /// Returns the content type that the client declared.
    pub fn content_type(&self) -> Option<&str> {
        self.0.content_type().map(AsRef::as_ref)
    }
}

impl FilePart {
    /// Reads the file into memory, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond the limit, [`ErrorKind::InvalidInput`] if the form ends early.
    pub async fn bytes(self, limit: usize) -> Result<Bytes> {
        collect(self.boxed(), limit).await
    }
}

impl fmt::Debug for FilePart {
    // File names stay out of logs (promise G16).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePart").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Stream for FilePart {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl From<FilePart> for Upload {
    fn from(file: FilePart) -> Self {
        let name = file.file_name().map(str::to_owned);
        let content_type = file.content_type().map(str::to_owned);
        let mut upload = Self::from_stream(file);
        if let Some(name) = name {
            upload = upload.file_name(name);
        }
        if let Some(content_type) = content_type {
            upload = upload.content_type(content_type);
        }
        upload
    }
}

impl<S, T> GuardedExtractor<S, ViaStream> for MultipartForm<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send + 'static,
{
    async fn extract(parts: &mut Parts, body: &mut Body, _: &S) -> Result<Self, Refusal> {
        let form = read_fields(parts, mem::take(body)).await;
        form.map_err(|error| Refusal::Extractor(error.into_response()))
    }
}

/// Path, query or headers with a form. Put several of them into an inner tuple:
/// `((Path<A>, Query<B>), MultipartForm<T>)`.
impl<S, P, T> GuardedExtractor<S, ViaStream> for (P, MultipartForm<T>)
where
    S: Send + Sync,
    P: FromRequestParts<S> + Send + 'static,
    T: DeserializeOwned + Send + 'static,
{
    async fn extract(parts: &mut Parts, body: &mut Body, state: &S) -> Result<Self, Refusal> {
        let first = P::extract(parts, body, state).await?;
        let form = MultipartForm::extract(parts, body, state).await?;
        Ok((first, form))
    }
}

/// Reads a body as the form that the headers declare.
pub(crate) fn reader(headers: &HeaderMap, body: Body) -> Result<Reader> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let boundary =
        content_type.and_then(|value| value.to_str().ok()).and_then(boundary).ok_or_else(|| {
            let length = format!("1 to {MAX_BOUNDARY} bytes");
            invalid(format!("the request is not multipart/form-data with a boundary of {length}"))
        })?;
    Ok(Reader::new(body.into_data_stream(), boundary))
}

/// Returns the boundary of a `multipart/form-data` content type. The spaces around its `;`, which RFC 9110,
/// section 5.6.6, allows, are removed, because `mime` accepts none before it.
fn boundary(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').map(str::trim);
    let essence = parameters.next()?;
    let parameters = parameters.filter(|parameter| !parameter.is_empty());
    let normalized = iter::once(essence).chain(parameters).collect::<Vec<_>>().join("; ");
    let boundary = multer::parse_boundary(normalized).ok()?;
    (1..=MAX_BOUNDARY).contains(&boundary.len()).then_some(boundary)
}

async fn read_fields<T: DeserializeOwned>(
    parts: &mut Parts,
    body: Body,
) -> Result<MultipartForm<T>> {
    let body = limited(parts, body);
    let mut reader = reader(&parts.headers, body)?;

    let mut pairs = Vec::new();
    let (mut size, mut absent_files) = (0, 0);
    let next_file = loop {
        let Some(mut part) = reader.next().await? else { break None };
        let disposition = part.disposition();
        if disposition.is_file() {
            if absent_files < MAX_FIELDS && disposition.is_unnamed_file() && part.is_empty().await?
            {
                absent_files += 1;
                continue;
            }
            break Some(part);
        }
        let name =
            disposition.name().ok_or_else(|| invalid("a form field has no name"))?.to_owned();
        size += name.len();
        let mut value = Vec::new();
        while let Some(chunk) = part.try_next().await? {
            size += chunk.len();
            value.extend_from_slice(&chunk);
            if size > MAX_FIELD_BYTES {
                break;
            }
        }
        if pairs.len() >= MAX_FIELDS || size > MAX_FIELD_BYTES {
            let what = format!(
                "the form has more than {MAX_FIELDS} text fields or {MAX_FIELD_BYTES} bytes in them"
            );
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        let value = String::from_utf8(value)
            .map_err(|_| invalid(format!("the form field {name:?} is not text in UTF-8")))?;
        pairs.push((name, value));
    };
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    // A missing field may be after the file, which was not read.
    let hint = if next_file.is_some() { "; put all fields before the first file" } else { "" };
    let fields = serde_html_form::from_str(&text)
        .map_err(|error| invalid(format!("the form cannot be read: {error}{hint}")))?;
    Ok(MultipartForm { fields, reader, next_file })
}
