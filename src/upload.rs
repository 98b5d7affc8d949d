//! What is handed in to be stored, and for whom.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};

use crate::{
    error::{Error, ErrorKind, Result},
    file_name::display_name,
    owner::{InvalidScope, Owner, Scope},
};

/// Bytes to be stored, with what is known of them.
///
/// An upload needs an owner and a scope; a backend refuses one without, because media that belongs
/// to nobody can be found by nobody.
///
/// ```
/// use tower_media::{MediaState, Owner, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// let media = MediaState::in_memory();
/// let ana = Owner::new("ana")?;
/// let stored = media
///     .upload(Upload::new("hello").filename("hello.txt").owned_by(&ana).scope("notes"))
///     .await?;
/// assert_eq!(stored.size, 5);
/// # Ok(()) }
/// ```
#[must_use = "an upload is stored by `MediaState::upload`"]
pub struct Upload {
    body: UploadBody,
    file_name: Option<String>,
    content_type: Option<String>,
    owner: Option<Owner>,
    scope: Option<Result<Scope, InvalidScope>>,
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
        let stream = stream.map_err(|error| match error.into().downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => {
                Error::new(ErrorKind::InvalidInput, "the upload broke off").with_source(error)
            }
        });
        Self::from_body(UploadBody::Stream(stream.boxed()))
    }

    fn from_body(body: UploadBody) -> Self {
        Self { body, file_name: None, content_type: None, owner: None, scope: None }
    }

    /// Sets the file name to be shown later. Of a path only the last part stays; control and
    /// direction characters go, and so does what exceeds 255 bytes (promise P9).
    pub fn filename(mut self, name: impl AsRef<str>) -> Self {
        self.file_name = display_name(name.as_ref());
        self
    }

    /// Sets what the client says the type is: a hint, for the bytes decide (promise P4).
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the owner.
    pub fn owned_by(mut self, owner: &Owner) -> Self {
        self.owner = Some(owner.clone());
        self
    }

    /// Sets the scope in which the owner will own it. A text that is no scope fails the upload.
    pub fn scope<T>(mut self, scope: T) -> Self
    where
        T: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.scope = Some(scope.try_into().map_err(Into::into));
        self
    }

    /// Takes the upload apart, for a backend that stores it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] without an owner, without a scope, or with one that is none.
    pub fn into_parts(self) -> Result<(UploadBody, UploadClaims)> {
        let invalid = |what| Error::new(ErrorKind::InvalidInput, what);
        let claims = UploadClaims {
            file_name: self.file_name,
            content_type: self.content_type,
            owner: self.owner.ok_or_else(|| invalid("the upload has no owner"))?,
            scope: self.scope.ok_or_else(|| invalid("the upload has no scope"))??,
        };
        Ok((self.body, claims))
    }
}

impl fmt::Debug for Upload {
    // File names stay out of logs (promise G16).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("body", &self.body)
            .field("owner", &self.owner)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What an [`Upload`] says of its bytes, once it is known to be complete.
#[non_exhaustive]
pub struct UploadClaims {
    /// The name to show, already made safe to show.
    pub file_name: Option<String>,
    /// What the client says the type is.
    pub content_type: Option<String>,
    /// Whose it will be.
    pub owner: Owner,
    /// Where the ownership will count.
    pub scope: Scope,
}

impl fmt::Debug for UploadClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadClaims")
            .field("owner", &self.owner)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The bytes of an [`Upload`].
#[non_exhaustive]
pub enum UploadBody {
    /// All at hand: they can be sent again if need be.
    Bytes(Bytes),
    /// Piece by piece, once.
    Stream(BoxStream<'static, Result<Bytes>>),
}

impl UploadBody {
    /// Reads everything into memory, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond the limit; what the stream fails with.
    pub async fn into_bytes(self, limit: usize) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) if bytes.len() > limit => Err(too_large(limit)),
            Self::Bytes(bytes) => Ok(bytes),
            Self::Stream(stream) => collect(stream, limit).await,
        }
    }
}

impl fmt::Debug for UploadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Reads a stream into memory, up to `limit` bytes.
pub(crate) async fn collect(
    mut stream: BoxStream<'static, Result<Bytes>>,
    limit: usize,
) -> Result<Bytes> {
    let Some(first) = stream.try_next().await? else { return Ok(Bytes::new()) };
    let mut all = BytesMut::from(first);
    while all.len() <= limit {
        match stream.try_next().await? {
            Some(chunk) => all.extend_from_slice(&chunk),
            None => return Ok(all.freeze()),
        }
    }
    Err(too_large(limit))
}

pub(crate) fn too_large(limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the media is larger than {limit} bytes"))
}
