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

/// The delay before a body is polled that the client may not have begun to send: polling it makes hyper send
/// `100 Continue` unless the response was written before.
const CONTINUE_DELAY: Duration = Duration::from_millis(500);

/// The greatest number of bodies that are drained at once in the process. Each one keeps its connection open,
/// so without a bound many refused uploads could use up the connections.
static PERMITS: Semaphore = Semaphore::const_new(512);

tokio::task_local! {
    // Set in a draining task. A body that was wrapped twice is drained once.
    static DRAINING: ();
}

/// Wraps the body of a request so that its unread rest is drained in the background when it is dropped: for
/// at most 3 s, and at most 32 MiB. A body that has ended is left as it is. While 512 bodies are being drained,
/// another one is dropped unread, and the server closes its connection.
pub(crate) fn drain_on_drop(request: Request) -> Request {
    drain_with(request, &PERMITS)
}

fn drain_with(request: Request, permits: &'static Semaphore) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let awaits_continue = request.headers().contains_key(header::EXPECT);
    request.map(|body| Body::new(DrainOnDrop { body: Some(body), awaits_continue, permits }))
}

struct DrainOnDrop {
    // `None` after its end.
    body: Option<Body>,
    // The client waits for `100 Continue`, which polling the body sends.
    awaits_continue: bool,
    permits: &'static Semaphore,
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
        let Ok(permit) = self.permits.try_acquire() else { return };
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
    use std::sync::Arc;

    use futures_util::{StreamExt as _, stream};

    use super::*;

    /// A request whose client never finishes its body. The `Arc` counts the bodies that are not dropped.
    fn stalled(alive: &Arc<()>) -> Request {
        let alive = Arc::clone(alive);
        let body = stream::pending::<Result<Bytes, axum::Error>>().map(move |chunk| {
            let _ = &alive;
            chunk
        });
        Request::new(Body::from_stream(body))
    }

    #[tokio::test(start_paused = true)]
    async fn g18_the_number_of_drained_bodies_is_bounded() {
        let permits: &'static Semaphore = Box::leak(Box::new(Semaphore::new(2)));
        let alive = Arc::new(());
        for expected in [1, 2, 2, 2] {
            drop(drain_with(stalled(&alive), permits));
            assert_eq!(Arc::strong_count(&alive) - 1, expected);
        }
        sleep(MAX_TIME + Duration::from_millis(1)).await;
        assert_eq!(Arc::strong_count(&alive) - 1, 0);
        drop(drain_with(stalled(&alive), permits));
        assert_eq!(Arc::strong_count(&alive) - 1, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn g18_a_drained_body_returns_its_permit() {
        let permits: &'static Semaphore = Box::leak(Box::new(Semaphore::new(1)));
        let body = Body::from_stream(stream::iter([Ok::<_, axum::Error>("rest")]));
        drop(drain_with(Request::new(body), permits));
        assert_eq!(permits.available_permits(), 0);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(permits.available_permits(), 1);
    }
}
