//! Limits on the body of an upload: bytes, idle time, total time and a minimum rate.

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
use tokio::time::{Instant, Sleep, sleep};

use super::UploadRejection;

/// The time over which the rate of a body is averaged.
const RATE_WINDOW: Duration = Duration::from_secs(30);

/// The limits of a body.
#[derive(Debug, Clone)]
pub(in crate::routes) struct BodyLimits {
    pub(in crate::routes) max_bytes: u64,
    /// The error beyond `max_bytes`.
    pub(in crate::routes) too_large: UploadRejection,
    /// The idle timeout: between one chunk and the next.
    pub(in crate::routes) idle_timeout: Duration,
    /// The timeout of the whole body.
    pub(in crate::routes) total_timeout: Duration,
    /// The minimum rate in bytes per second.
    pub(in crate::routes) min_rate: u32,
}

/// Returns the length that the request declares for its body.
pub(in crate::routes) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Applies the limits to a body. The idle timeout and the rate count only the time in which the server waits
/// for the client, not the time in which the backend writes.
pub(in crate::routes) fn limited_body(body: Body, limits: BodyLimits) -> Body {
    let limited = LimitedBody {
        body: Some(body.into_data_stream()),
        left: limits.max_bytes,
        idle: Box::pin(sleep(limits.idle_timeout)),
        total: Box::pin(sleep(limits.total_timeout)),
        window: Box::pin(sleep(RATE_WINDOW)),
        waiting_since: None,
        waited: Duration::ZERO,
        received: 0,
        limits,
    };
    Body::from_stream(limited)
}

struct LimitedBody {
    // `None` after its end.
    body: Option<BodyDataStream>,
    left: u64,
    idle: Pin<Box<Sleep>>,
    total: Pin<Box<Sleep>>,
    window: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
    // Time waited and bytes received in the current window.
    waited: Duration,
    received: u64,
    limits: BodyLimits,
}

impl Stream for LimitedBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Poll::Ready(next) = body.poll_next_unpin(cx) {
            if let Some(since) = this.waiting_since.take() {
                this.waited += since.elapsed();
            }
            return Poll::Ready(match next {
                Some(Ok(chunk)) => Some(this.count(chunk)),
                end => {
                    this.body = None;
                    end
                }
            });
        }
        if this.is_too_slow(cx) {
            this.body = None;
            return Poll::Ready(Some(Err(axum::Error::new(UploadRejection::TooSlow))));
        }
        Poll::Pending
    }
}

impl LimitedBody {
    fn count(&mut self, chunk: Bytes) -> Result<Bytes, axum::Error> {
        self.received += chunk.len() as u64;
        let left = self.left.checked_sub(chunk.len() as u64);
        self.left = left.ok_or_else(|| axum::Error::new(self.limits.too_large.clone()))?;
        Ok(chunk)
    }

    /// Returns whether a time limit has expired, and otherwise schedules the next check.
    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        if self.waiting_since.is_none() {
            self.waiting_since = Some(now);
            self.idle.as_mut().reset(now + self.limits.idle_timeout);
            self.window.as_mut().reset(now + RATE_WINDOW.saturating_sub(self.waited));
        }
        while self.window.as_mut().poll(cx).is_ready() {
            if self.received < u64::from(self.limits.min_rate) * RATE_WINDOW.as_secs() {
                return true;
            }
            (self.waiting_since, self.waited, self.received) = (Some(now), Duration::ZERO, 0);
            self.window.as_mut().reset(now + RATE_WINDOW);
        }
        self.idle.as_mut().poll(cx).is_ready() || self.total.as_mut().poll(cx).is_ready()
    }
}
