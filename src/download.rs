//! Bytes on their way out.

use std::fmt;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream, stream::BoxStream};

use crate::{
    error::Result,
    id::ContentHash,
    upload::{collect, too_large},
};

/// The bytes of one rendition, as a stream that has not been read yet.
#[must_use = "nothing is read until the download is consumed"]
pub struct Download {
    content_type: String,
    length: Option<u64>,
    hash: Option<ContentHash>,
    body: BoxStream<'static, Result<Bytes>>,
}

impl Download {
    /// Begins a download of bytes that arrive piece by piece.
    pub fn from_stream(
        content_type: impl Into<String>,
        body: BoxStream<'static, Result<Bytes>>,
    ) -> Self {
        Self { content_type: content_type.into(), length: None, hash: None, body }
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

    /// Says what the SHA-256 of the bytes is.
    pub fn with_hash(mut self, hash: ContentHash) -> Self {
        self.hash = Some(hash);
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

    /// Returns the SHA-256 of the bytes, if that is known.
    pub fn hash(&self) -> Option<ContentHash> {
        self.hash
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
            return Err(too_large(limit));
        }
        collect(self.body, limit).await
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
