//! A body that must keep coming, and whose sender gets to see the answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep, sleep_until, timeout},
};

use super::UploadRejection;

/// For how long what a refused client goes on sending is thrown away.
const LINGER: Duration = Duration::from_secs(3);

/// What a body is held to.
#[derive(Debug, Clone)]
pub(in crate::routes) struct Pace {
    pub(in crate::routes) bytes: u64,
    /// What is said of more bytes.
    pub(in crate::routes) otherwise: UploadRejection,
    /// Between one piece and the next.
    pub(in crate::routes) idle: Duration,
    /// For all of it.
    pub(in crate::routes) whole: Duration,
}

/// How many bytes a request says that its body has.
pub(in crate::routes) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Holds a body to `pace`. Only waiting for the client counts as idle, not waiting for the backend.
pub(in crate::routes) fn paced(body: Body, pace: Pace) -> Body {
    let paced = Paced {
        body: Some(body.into_data_stream()),
        left: pace.bytes,
        idle: Box::pin(sleep(pace.idle)),
        deadline: Box::pin(sleep_until(Instant::now() + pace.whole)),
        waits: false,
        pace,
    };
    Body::from_stream(paced)
}

struct Paced {
    // Until its end.
    body: Option<BodyDataStream>,
    left: u64,
    idle: Pin<Box<Sleep>>,
    deadline: Pin<Box<Sleep>>,
    waits: bool,
    pace: Pace,
}

impl Stream for Paced {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let paced = &mut *self;
        let Some(body) = &mut paced.body else { return Poll::Ready(None) };
        if let Poll::Ready(next) = body.poll_next_unpin(cx) {
            paced.waits = false;
            return Poll::Ready(match next {
                Some(Ok(piece)) => Some(paced.count(piece)),
                end => {
                    paced.body = None;
                    end
                }
            });
        }
        if !paced.waits {
            paced.waits = true;
            paced.idle.as_mut().reset(Instant::now() + paced.pace.idle);
        }
        let late = paced.idle.as_mut().poll(cx).is_ready();
        if late || paced.deadline.as_mut().poll(cx).is_ready() {
            paced.body = None;
            return Poll::Ready(Some(Err(axum::Error::new(UploadRejection::TooSlow))));
        }
        Poll::Pending
    }
}

impl Paced {
    fn count(&mut self, piece: Bytes) -> Result<Bytes, axum::Error> {
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or_else(|| axum::Error::new(self.pace.otherwise.clone()))?;
        Ok(piece)
    }
}

impl Drop for Paced {
    /// A server that closes while the client still sends makes many clients lose the answer, which was
    /// to tell them why. So the rest is read for a moment, and thrown away.
    fn drop(&mut self) {
        let (Some(mut body), Ok(runtime)) = (self.body.take(), Handle::try_current()) else {
            return;
        };
        runtime.spawn(timeout(LINGER, async move { while let Some(Ok(_)) = body.next().await {} }));
    }
}
