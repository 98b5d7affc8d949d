//! Drains the unread rest of a request body, so that a refusal reaches a client that is still sending
//! (promise G18).
//!
//! A server that drops an unread body closes the connection. The client then fails to write, and many
//! clients report that failure instead of the response that is waiting for them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
};
use http_body_util::BodyExt as _;
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    time::{sleep, timeout},
};

/// The longest time to drain one body.
const MAX_TIME: Duration = Duration::from_secs(3);

/// The greatest number of bytes to drain of one body. A blocking client reads the response only after it has
/// sent everything, so this is the size of the largest body whose refusal such a client sees.
const MAX_BYTES: usize = 32 << 20;

/// The greatest number of bodies that are drained at once. Beyond it, a body is dropped and its connection
/// closed.
const MAX_DRAINS: usize = 256;

static DRAINS: Semaphore = Semaphore::const_new(MAX_DRAINS);

/// The delay before a body is polled that the client may not have begun to send: polling it makes hyper send
/// `100 Continue` unless the response was written before.
const CONTINUE_DELAY: Duration = Duration::from_millis(500);

tokio::task_local! {
    // Set in a draining task. A body that was wrapped twice is drained once.
    static DRAINING: ();
}

/// Wraps the body of a request so that its unread rest is drained in the background when it is dropped: for
/// at most 3 s, at most 32 MiB, and with at most 255 others at once. A body that has ended is left as it is.
pub(crate) fn drain_on_drop(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let awaits_continue = request.headers().contains_key(header::EXPECT);
    request.map(|body| Body::new(DrainOnDrop { body: Some(body), awaits_continue }))
}

struct DrainOnDrop {
    // `None` after its end.
    body: Option<Body>,
    // The client waits for `100 Continue`, which polling the body sends.
    awaits_continue: bool,
}

impl HttpBody for DrainOnDrop {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        self.awaits_continue = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for DrainOnDrop {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        if DRAINING.try_with(|()| ()).is_ok() {
            return;
        }
        let Ok(permit) = DRAINS.try_acquire() else { return };
        let delay = if self.awaits_continue { CONTINUE_DELAY } else { Duration::ZERO };
        runtime.spawn(DRAINING.scope((), async move {
            sleep(delay).await;
            let _ = timeout(MAX_TIME, drain(body)).await;
            drop(permit);
        }));
    }
}

async fn drain(mut body: Body) {
    let mut left = MAX_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::sync::mpsc;

    use super::*;

    /// A body that never ends, and reports its drop.
    fn endless(dropped: mpsc::UnboundedSender<()>) -> Request {
        struct Report(mpsc::UnboundedSender<()>);
        impl Drop for Report {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let report = Report(dropped);
        let pending = stream::poll_fn(move |_| {
            let _ = &report;
            Poll::<Option<Result<Bytes, axum::Error>>>::Pending
        });
        Request::new(Body::from_stream(pending))
    }

    #[tokio::test(start_paused = true)]
    async fn g18_the_number_of_drains_at_once_is_bounded() {
        let (sender, mut dropped) = mpsc::unbounded_channel();
        for _ in 0..MAX_DRAINS {
            drop(drain_on_drop(endless(sender.clone())));
        }
        assert!(dropped.try_recv().is_err(), "as many as may be are drained");
        drop(drain_on_drop(endless(sender.clone())));
        assert!(dropped.try_recv().is_ok(), "one more is dropped at once");
        sleep(MAX_TIME + Duration::from_secs(1)).await;
        drop(drain_on_drop(endless(sender)));
        for _ in 0..MAX_DRAINS {
            assert!(dropped.try_recv().is_ok(), "the drains have ended");
        }
        assert!(dropped.try_recv().is_err(), "another one is drained");
    }
}
