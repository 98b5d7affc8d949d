//! Byte streams: reading, length, idle timeout, hash.

#[cfg(any(feature = "store", feature = "remote"))]
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};

#[cfg(feature = "store")]
use crate::id::ContentHash;
#[cfg(feature = "store")]
use futures_util::stream::Fuse;
#[cfg(feature = "store")]
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// A stream of chunks. An error ends it.
pub(crate) type ByteStream = BoxStream<'static, Result<Bytes>>;

/// Reads everything into memory, up to `limit` bytes.
pub(crate) async fn collect(mut chunks: ByteStream, limit: usize) -> Result<Bytes> {
    let Some(first) = chunks.try_next().await? else { return Ok(Bytes::new()) };
    let mut all = BytesMut::from(first);
    while all.len() <= limit {
        match chunks.try_next().await? {
            Some(chunk) => all.extend_from_slice(&chunk),
            None => return Ok(all.freeze()),
        }
    }
    Err(too_large(limit as u64))
}

pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the media is larger than {limit} bytes"))
}

/// Fails the stream if its bytes are not exactly `length`: in place of the chunk that exceeds the length, or at
/// the end.
pub(crate) fn with_exact_len(
    length: u64,
    chunks: ByteStream,
    otherwise: fn() -> Error,
) -> ByteStream {
    let next = move |(mut chunks, left): (ByteStream, u64)| async move {
        match chunks.try_next().await? {
            Some(chunk) => {
                let left = left.checked_sub(chunk.len() as u64).ok_or_else(otherwise)?;
                Ok(Some((chunk, (chunks, left))))
            }
            None if left > 0 => Err(otherwise()),
            None => Ok(None),
        }
    };
    stream::try_unfold((chunks, length), next).boxed()
}

/// Fails the stream if no chunk arrives within `idle` while the reader waits for one.
#[cfg(any(feature = "store", feature = "remote"))]
pub(crate) fn with_idle_timeout<T: Send + 'static>(
    idle: Duration,
    chunks: BoxStream<'static, Result<T>>,
    otherwise: fn(Duration) -> Error,
) -> BoxStream<'static, Result<T>> {
    let next = move |mut chunks: BoxStream<'static, Result<T>>| async move {
        let next = tokio::time::timeout(idle, chunks.try_next()).await;
        let chunk = next.map_err(|_| otherwise(idle))??;
        Ok(chunk.map(|chunk| (chunk, chunks)))
    };
    stream::try_unfold(chunks, next).boxed()
}

/// Fails the stream in place of the last chunk if the bytes do not have this hash.
#[cfg(feature = "store")]
pub(crate) fn verify_hash(
    hash: ContentHash,
    chunks: ByteStream,
    otherwise: fn() -> Error,
) -> ByteStream {
    let begin = (chunks.fuse(), Sha256::new(), None);
    let next = move |(mut chunks, mut hasher, mut held): (Fuse<ByteStream>, Sha256, Option<_>)| async move {
        loop {
            let next = chunks.try_next().await?;
            let is_end = next.is_none();
            match &next {
                Some(chunk) => hasher.update(chunk),
                None if ContentHash::from_bytes(hasher.clone().finalize().into()) == hash => {}
                None => return Err(otherwise()),
            }
            match std::mem::replace(&mut held, next) {
                Some(chunk) => return Ok(Some((chunk, (chunks, hasher, held)))),
                None if is_end => return Ok(None),
                None => {}
            }
        }
    };
    stream::try_unfold(begin, next).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "store")]
    #[tokio::test]
    async fn r05_the_last_chunk_is_held_back_until_the_hash_matches() {
        let wrong = || Error::new(ErrorKind::Integrity, "other bytes");
        for chunks in [vec![], vec![""], vec!["hello"], vec!["hel", "", "lo"]] {
            let stream =
                || stream::iter(chunks.clone()).map(|chunk| Ok(Bytes::from(chunk))).boxed();
            let right = ContentHash::of(chunks.concat().as_bytes());
            let read = collect(verify_hash(right, stream(), wrong), 10).await;
            assert_eq!(read.expect("the bytes"), chunks.concat());
            let mut read = verify_hash(ContentHash::of(b"others"), stream(), wrong);
            let mut whole = String::new();
            let error = loop {
                match read.try_next().await {
                    Ok(chunk) => {
                        whole += std::str::from_utf8(&chunk.expect("no end")).expect("text")
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::Integrity);
            assert!(whole.is_empty() || whole.len() < chunks.concat().len(), "{chunks:?}");
        }
    }

    #[tokio::test]
    async fn fewer_or_more_bytes_than_declared_are_an_error() {
        let wrong = || Error::new(ErrorKind::Integrity, "another length");
        for (length, chunks, is_right) in [
            (5, vec!["hel", "lo"], true),
            (0, vec![], true),
            (0, vec![""], true),
            (4, vec!["hel", "lo"], false),
            (3, vec!["hel", "lo"], false),
            (6, vec!["hel", "lo"], false),
            (1, vec![], false),
        ] {
            let stream = stream::iter(chunks.clone()).map(|chunk| Ok(Bytes::from(chunk))).boxed();
            let read = collect(with_exact_len(length, stream, wrong), 10).await;
            assert_eq!(read.is_ok(), is_right, "{length} bytes of {chunks:?}: {read:?}");
        }
    }
}
