//! What is handed in to be stored, and for whom.

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

/// Bytes to be stored, with what is known of them.
///
/// [`MediaState::upload`](crate::MediaState::upload) takes the owner beside it.
///
/// # Default
///
/// No file name, no content type, the scope `default`, and variants as the backend makes them.
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
    /// An upload without bytes: for [`MediaState::upload_from`](crate::MediaState::upload_from), which
    /// is given them apart.
    fn default() -> Self {
        Self::new(Bytes::new())
    }
}

impl Upload {
    /// Begins with bytes that are at hand.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self::from_body(UploadBody::Bytes(bytes.into()))
    }

    /// Begins with bytes that arrive piece by piece. An error of the stream ends the upload, and
    /// nothing of it stays. The upload fails with it if it is an [`Error`], else with
    /// [`ErrorKind::InvalidInput`].
    pub fn from_stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::from_body(UploadBody::Stream(
            stream.map_err(|error| broken_off(error.into())).boxed(),
        ))
    }

    /// Begins with the bytes of a file on this machine, which is read when it is sent and must not change
    /// meanwhile. Its name is not taken over: a spooled file has one that says nothing.
    ///
    /// A file that cannot be opened is [`ErrorKind::InvalidInput`] once it is uploaded; no error names
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

    /// Replaces the bytes.
    pub(crate) fn with_body(mut self, body: UploadBody) -> Self {
        self.body = body;
        self
    }

    /// Sets the file name to be shown later. Of a path only the last part stays; control and
    /// direction characters go, and so does what exceeds 255 bytes (promise P9).
    pub fn file_name(mut self, name: impl AsRef<str>) -> Self {
        self.file_name = display_name(name.as_ref());
        self
    }

    /// Sets what the client says the type is: a hint, for the bytes decide (promise P4). One of more than
    /// 255 bytes is none.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the scope in which the owner will own it. Default: `default`. An invalid scope fails the upload
    /// with [`ErrorKind::InvalidInput`].
    pub fn scope<T>(mut self, scope: T) -> Self
    where
        T: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.scope = scope.try_into().map_err(Into::into);
        self
    }

    /// Stores the bytes and no more: no variants are made ahead, and the record may lack what looking into
    /// the bytes would tell, such as dimensions. For what nobody will look at as a picture.
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

/// The parts of an [`Upload`], as a backend gets them from [`Upload::into_parts`].
#[non_exhaustive]
pub struct UploadParts {
    /// The bytes.
    pub body: UploadBody,
    /// The file name to show, already sanitized (promise P9).
    pub file_name: Option<String>,
    /// The content type that the client declared: a hint.
    pub content_type: Option<String>,
    /// The scope in which the owner will own the media.
    pub scope: Scope,
    /// Whether the bytes are stored without further processing.
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
    /// All at hand: they can be sent again if need be.
    Bytes(Bytes),
    /// In a file, which can be read again if need be.
    File(PathBuf),
    /// Piece by piece, once.
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

    /// Returns the bytes piece by piece, whatever they are in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a file that is none or cannot be opened. The stream fails with what
    /// it failed with before, and for a file with [`ErrorKind::InvalidInput`] if it is cut short meanwhile.
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

/// What an upload fails with whose stream failed.
pub(super) fn broken_off(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => {
            Error::new(ErrorKind::InvalidInput, "the upload broke off").with_source(error)
        }
    }
}
