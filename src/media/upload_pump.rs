//! Converts a borrowed byte stream into an upload body without a lifetime.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;

use super::upload::{UploadBody, interrupted};
use crate::error::{Error, ErrorKind, Result};

/// Returns a body, and a future that fills it and must be polled concurrently with the reader of the body.
///
/// Only the future ends the body. If the future is dropped before, the body ends with an error, so that a
/// part of a file is never taken for the whole.
pub(crate) fn pump<S, E>(bytes: S) -> (UploadBody, impl Future<Output = ()>)
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, receiver) = mpsc::channel::<Option<Result<Bytes>>>(1);
    let body = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(None) => None,
            Some(Some(next)) => Some((next, Some(receiver))),
            None => {
                let what = "the upload was cancelled before all of its bytes arrived";
                Some((Err(Error::new(ErrorKind::InvalidInput, what)), None))
            }
        }
    });
    let fill = async move {
        let mut bytes = pin!(bytes);
        while let Some(next) = bytes.next().await {
            // The reader may have been dropped.
            if sender.send(Some(next.map_err(|error| interrupted(error.into())))).await.is_err() {
                return;
            }
        }
        let _ = sender.send(None).await;
    };
    (UploadBody::Stream(body.boxed()), fill)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{FutureExt as _, TryStreamExt as _};

    use super::*;

    #[tokio::test]
    async fn p10_a_body_whose_pump_is_dropped_fails() {
        let hello = Ok::<_, Infallible>(Bytes::from_static(b"hello"));
        let (body, fill) = pump(stream::iter([hello]).chain(stream::pending()));
        let mut body = body.into_stream().await.expect("it is a stream");
        let mut fill = Box::pin(fill);
        assert!(fill.as_mut().now_or_never().is_none());
        assert_eq!(body.try_next().await.expect("the first chunk"), Some("hello".into()));
        // The reader may be on a task of its own, and outlive the pump.
        drop(fill);
        let error = body.try_next().await.expect_err("more was to come");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(body.try_next().await.expect("and then nothing").is_none());
    }
}
