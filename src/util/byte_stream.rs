//! Bytes that come piece by piece.

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

/// Bytes that come piece by piece, or an error that ends them.
pub(crate) type ByteStream = BoxStream<'static, Result<Bytes>>;

/// Reads everything into memory, up to `limit` bytes.
pub(crate) async fn collect(mut pieces: ByteStream, limit: usize) -> Result<Bytes> {
    let Some(first) = pieces.try_next().await? else { return Ok(Bytes::new()) };
    let mut all = BytesMut::from(first);
    while all.len() <= limit {
        match pieces.try_next().await? {
            Some(piece) => all.extend_from_slice(&piece),
            None => return Ok(all.freeze()),
        }
    }
    Err(too_large(limit as u64))
}

pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the media is larger than {limit} bytes"))
}

/// The same bytes, with an error in place of the piece with which they are more than `length`, or at
/// their end if they are fewer.
pub(crate) fn with_exact_len(
    length: u64,
    pieces: ByteStream,
    otherwise: fn() -> Error,
) -> ByteStream {
    let next = move |(mut pieces, left): (ByteStream, u64)| async move {
        match pieces.try_next().await? {
            Some(piece) => {
                let left = left.checked_sub(piece.len() as u64).ok_or_else(otherwise)?;
                Ok(Some((piece, (pieces, left))))
            }
            None if left > 0 => Err(otherwise()),
            None => Ok(None),
        }
    };
    stream::try_unfold((pieces, length), next).boxed()
}

/// The same bytes, with an error at their end if nothing comes for so long while they are waited for.
#[cfg(any(feature = "store", feature = "remote"))]
pub(crate) fn with_idle_timeout<T: Send + 'static>(
    idle: Duration,
    pieces: BoxStream<'static, Result<T>>,
    otherwise: fn(Duration) -> Error,
) -> BoxStream<'static, Result<T>> {
    let next = move |mut pieces: BoxStream<'static, Result<T>>| async move {
        let next = tokio::time::timeout(idle, pieces.try_next()).await;
        let piece = next.map_err(|_| otherwise(idle))??;
        Ok(piece.map(|piece| (piece, pieces)))
    };
    stream::try_unfold(pieces, next).boxed()
}

/// The same bytes, the last of them only if all together have this hash.
#[cfg(feature = "store")]
pub(crate) fn verify_hash(
    hash: ContentHash,
    pieces: ByteStream,
    otherwise: fn() -> Error,
) -> ByteStream {
    let begin = (pieces.fuse(), Sha256::new(), None);
    let next = move |(mut pieces, mut hasher, mut held): (Fuse<ByteStream>, Sha256, Option<_>)| async move {
        loop {
            let next = pieces.try_next().await?;
            let is_end = next.is_none();
            match &next {
                Some(piece) => hasher.update(piece),
                None if ContentHash::from_bytes(hasher.clone().finalize().into()) == hash => {}
                None => return Err(otherwise()),
            }
            match std::mem::replace(&mut held, next) {
                Some(piece) => return Ok(Some((piece, (pieces, hasher, held)))),
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
    async fn r05_the_last_piece_comes_only_if_all_have_the_hash() {
        let wrong = || Error::new(ErrorKind::Integrity, "other bytes");
        for pieces in [vec![], vec![""], vec!["hello"], vec!["hel", "", "lo"]] {
            let stream =
                || stream::iter(pieces.clone()).map(|piece| Ok(Bytes::from(piece))).boxed();
            let right = ContentHash::of(pieces.concat().as_bytes());
            let read = collect(verify_hash(right, stream(), wrong), 10).await;
            assert_eq!(read.expect("the bytes"), pieces.concat());
            let mut read = verify_hash(ContentHash::of(b"others"), stream(), wrong);
            let mut whole = String::new();
            let error = loop {
                match read.try_next().await {
                    Ok(piece) => {
                        whole += std::str::from_utf8(&piece.expect("no end")).expect("text")
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::Integrity);
            assert!(whole.is_empty() || whole.len() < pieces.concat().len(), "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn fewer_or_more_bytes_than_were_announced_are_an_error() {
        let wrong = || Error::new(ErrorKind::Integrity, "another length");
        for (length, pieces, is_right) in [
            (5, vec!["hel", "lo"], true),
            (0, vec![], true),
            (0, vec![""], true),
            (4, vec!["hel", "lo"], false),
            (3, vec!["hel", "lo"], false),
            (6, vec!["hel", "lo"], false),
            (1, vec![], false),
        ] {
            let stream = stream::iter(pieces.clone()).map(|piece| Ok(Bytes::from(piece))).boxed();
            let read = collect(with_exact_len(length, stream, wrong), 10).await;
            assert_eq!(read.is_ok(), is_right, "{length} bytes of {pieces:?}: {read:?}");
        }
    }
}
