//! Uploads: the bytes, and the file name, content type and scope that describe them.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};

use crate::{
    error::{Error, ErrorKind, Result},
    media::display_name,
    owner::{InvalidScope, Scope},
    util::byte_stream::{collect, too_large},
};

/// Bytes to be stored, with a file name, a content type and a scope.
///
/// The owner is an argument of [`MediaState::upload`](crate::MediaState::upload).
///
/// # Default
///
/// No file name, no content type, the scope `default`, and the variants that the backend makes.
///
/// ```
/// use tower_media::{MediaState, Owner, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// let media = MediaState::in_memory();
/// let ana = Owner::new("ana")?;
/// let stored =
///     media.upload(&ana, Upload::new("hello").file_name("hello.txt").scope("notes")).await?;
/// assert_eq!(stored.size, 5);
/// # Ok(()) }
/// ```
#[must_use = "an upload is stored by `MediaState::upload`"]
pub struct Upload {
    body: UploadBody,
    file_name: Option<String>,
    content_type: Option<String>,
    scope: Result<Scope, InvalidScope>,
    skips_processing: bool,
}

impl Default for Upload {
    /// Creates an upload without bytes, for [`MediaState::upload_from`](crate::MediaState::upload_from),
    /// which takes the bytes as another argument.
    fn default() -> Self {
        Self::new(Bytes::new())
    }
}

impl Upload {
    /// Creates an upload of bytes in memory.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self::from_body(UploadBody::Bytes(bytes.into()))
    }

    /// Creates an upload of a stream of chunks. An error of the stream ends the upload, and nothing is
    /// stored. The upload fails with that error if it is an [`Error`], else with
    /// [`ErrorKind::InvalidInput`].
    pub fn from_stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::from_body(UploadBody::Stream(
            stream.map_err(|error| interrupted(error.into())).boxed(),
        ))
    }

    /// Creates an upload of a local file, which is read during the upload and must not change meanwhile.
    /// The name of the file is ignored, because a temporary file has a generated name.
    ///
    /// The upload fails with [`ErrorKind::InvalidInput`] if the file cannot be opened; no error contains
    /// the path.
    pub fn from_path(path: impl AsRef<Path>) -> Self {
        Self::from_body(UploadBody::File(path.as_ref().to_owned()))
    }

    fn from_body(body: UploadBody) -> Self {
        Self {
            body,
            file_name: None,
            content_type: None,
            scope: Ok(Scope::default()),
            skips_processing: false,
        }
    }

    /// Returns the bytes, and leaves none.
    #[cfg(feature = "routes")]
    pub(crate) fn take_body(&mut self) -> UploadBody {
        std::mem::replace(&mut self.body, UploadBody::Bytes(Bytes::new()))
    }

    /// Replaces the bytes.
    pub(crate) fn with_body(mut self, body: UploadBody) -> Self {
        self.body = body;
        self
    }

    /// Sets the file name to display. It is reduced to the last component of a path, without control and
    /// bidirectional formatting characters, and truncated to 255 bytes (promise P9).
    pub fn file_name(mut self, name: impl AsRef<str>) -> Self {
        self.file_name = display_name(name.as_ref());
        self
    }

    /// Sets the content type that the client declared. It is a hint, because the bytes decide
    /// (promise P4). More than 255 bytes are ignored.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the scope of the ownership. Default: `default`. An upload with an invalid scope fails with
    /// [`ErrorKind::InvalidInput`].
    pub fn scope<T>(mut self, scope: T) -> Self
    where
        T: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.scope = scope.try_into().map_err(Into::into);
        self
    }

    /// Stores the bytes without image processing: no variants are made ahead, and the record may lack
    /// metadata such as dimensions. For files that are not displayed as images.
    pub fn skip_processing(mut self) -> Self {
        self.skips_processing = true;
        self
    }

    /// Splits the upload into its parts, for a backend that stores it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the scope is invalid.
    pub fn into_parts(self) -> Result<UploadParts> {
        let Self { body, file_name, content_type, scope, skips_processing } = self;
        Ok(UploadParts { body, file_name, content_type, scope: scope?, skips_processing })
    }
}

impl fmt::Debug for Upload {
    // File names stay out of logs (promise G16).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("body", &self.body)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The parts of an [`Upload`], which a backend gets from [`Upload::into_parts`].
#[non_exhaustive]
pub struct UploadParts {
    /// The bytes.
    pub body: UploadBody,
    /// The file name to display, already sanitized (promise P9).
    pub file_name: Option<String>,
    /// The content type that the client declared: a hint.
    pub content_type: Option<String>,
    /// The scope of the ownership.
    pub scope: Scope,
    /// `true` if the bytes are to be stored without image processing.
    pub skips_processing: bool,
}

impl fmt::Debug for UploadParts {
    // File names stay out of logs (promise G16).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadParts")
            .field("body", &self.body)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The bytes of an [`Upload`].
#[non_exhaustive]
pub enum UploadBody {
    /// In memory; a retry can send them again.
    Bytes(Bytes),
    /// In a local file; a retry can read it again.
    File(PathBuf),
    /// A stream of chunks, which can be read once.
    Stream(BoxStream<'static, Result<Bytes>>),
}

impl UploadBody {
    /// Reads everything into memory, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond the limit, and those of [`into_stream`](Self::into_stream).
    pub async fn into_bytes(self, limit: usize) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) if bytes.len() > limit => Err(too_large(limit as u64)),
            Self::Bytes(bytes) => Ok(bytes),
            body => collect(body.into_stream().await?, limit).await,
        }
    }

    /// Returns the bytes as a stream of chunks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the path is not a file or cannot be opened. The returned stream
    /// passes the errors of the upload's stream on, and fails with [`ErrorKind::InvalidInput`] if the file
    /// becomes shorter meanwhile.
    pub async fn into_stream(self) -> Result<BoxStream<'static, Result<Bytes>>> {
        Ok(match self {
            Self::Bytes(bytes) => stream::once(async move { Ok(bytes) }).boxed(),
            Self::File(path) => {
                let length = super::file_length(&path).await?;
                super::read_file(path, length)
            }
            Self::Stream(stream) => stream,
        })
    }
}

impl fmt::Debug for UploadBody {
    // Paths stay out of logs, like file names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File(_) => f.write_str("File"),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Returns the error of an upload whose stream failed.
pub(super) fn interrupted(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => {
            Error::new(ErrorKind::InvalidInput, "the upload ended before all of its bytes arrived")
                .with_source(error)
        }
    }
}
