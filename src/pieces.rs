//! Bytes that come piece by piece.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};

use crate::error::{Error, ErrorKind, Result};

/// Bytes that come piece by piece, or an error that ends them.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes>>;

/// Reads everything into memory, up to `limit` bytes.
pub(crate) async fn collect(mut pieces: Pieces, limit: usize) -> Result<Bytes> {
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
pub(crate) fn exactly(length: u64, pieces: Pieces, otherwise: fn() -> Error) -> Pieces {
    let next = move |(mut pieces, left): (Pieces, u64)| async move {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let read = collect(exactly(length, stream, wrong), 10).await;
            assert_eq!(read.is_ok(), is_right, "{length} bytes of {pieces:?}: {read:?}");
        }
    }
}
