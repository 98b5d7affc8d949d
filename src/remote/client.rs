//! Sends requests with deadlines and retries, and reads response bodies within bounds.

use std::{fmt, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    call::Call,
    circuit_breaker::CircuitBreaker,
    observe, redirect,
    response::{ErrorResponse, Reply, SendError},
    upload_progress::UploadProgress,
};
use crate::{
    error::{Error, ErrorKind, Result},
    protocol::ErrorBody,
};

/// The largest response body, in bytes.
const MAX_BODY: usize = 8 << 20;

/// The largest list of an owner's media, in bytes: some 100,000 rows.
pub(super) const MAX_LIST: usize = 128 << 20;

/// The largest error body that is read, in bytes.
const MAX_ERROR_BODY: usize = 4 << 10;

/// The first and the longest delay before a retry. Jitter makes each up to twice as long.
const DELAYS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The HTTP client of one media service.
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) request_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) retries: usize,
    pub(super) circuit_breaker: CircuitBreaker,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// Which failures of a call are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// None, because the request is not idempotent or cannot be repeated.
    Never,
    /// Broken connections, timeouts, and statuses that mean "later".
    Outage,
    /// As `Outage`, and 500 without a reason: two simultaneous uploads of equal bytes cause it.
    OutageOrServerError,
}

impl Retry {
    fn applies_to(self, error: &SendError) -> bool {
        match (self, error) {
            (Self::Never, _) => false,
            // With a reason in the body, the next attempt would fail in the same way.
            (Self::OutageOrServerError, SendError::Status(response))
                if response.status == StatusCode::INTERNAL_SERVER_ERROR =>
            {
                response.reason.is_none()
            }
            _ => error.is_outage(),
        }
    }
}

/// The URL of a path below `base`. Segments are percent-encoded.
pub(super) fn join(base: &Url, segments: impl IntoIterator<Item: AsRef<str>>) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("the builder rejects URLs that cannot have a path")
        .pop_if_empty()
        .extend(segments);
    url
}

impl Client {
    /// The URL of a path below `/api/v1/media`.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        join(&self.base, ["api", "v1", "media"].iter().chain(segments))
    }

    /// The URL of a path at the root of the service.
    pub(super) fn root(&self, path: &str) -> Url {
        join(&self.base, [path])
    }

    pub(super) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.http.request(method, self.url(segments))
    }

    /// Sends an idempotent request without a streamed body and waits for a success.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Reply, SendError> {
        self.send_with(operation, Retry::Outage, || (request(), UploadProgress::default())).await
    }

    /// Sends a request, with retries, and waits for the head of a success.
    ///
    /// Delays between attempts grow exponentially with jitter, or are those of `Retry-After`. No attempt
    /// starts later than two request timeouts after the first. An attempt whose body makes progress has
    /// no total timeout.
    pub(super) async fn send_with(
        &self,
        operation: &'static str,
        retry: Retry,
        make: impl FnMut() -> (RequestBuilder, UploadProgress),
    ) -> Result<Reply, SendError> {
        let span = observe::call_span(operation);
        let mut call = Call::new(operation);
        let result = self.attempt_until(&mut call, retry, make).instrument(span.clone()).await;
        let status = match &result {
            Ok(reply) => Ok(reply.response.status()),
            Err(SendError::Status(response)) => Ok(response.status),
            Err(SendError::NoResponse(error)) => Err(error.kind()),
        };
        observe::record_outcome(&span, call.attempts, status);
        result
    }

    async fn attempt_until(
        &self,
        call: &mut Call,
        retry: Retry,
        mut make: impl FnMut() -> (RequestBuilder, UploadProgress),
    ) -> Result<Reply, SendError> {
        let deadline = Instant::now() + 2 * self.request_timeout;
        let mut delays = delays(self.retries);
        let mut last: Option<Error> = None;
        loop {
            let Some(admission) = self.circuit_breaker.admit() else {
                let what =
                    "the circuit breaker of the media service is open after repeated failures";
                let error = call.error(ErrorKind::Unavailable, what);
                return Err(match last {
                    Some(cause) => error.with_source(cause).into(),
                    None => error.into(),
                });
            };
            call.attempts += 1;
            let (request, progress) = make();
            let result = self.attempt(*call, request, &progress).await;
            // A failed body says nothing about the service, and would fail again.
            let body_failed = progress.has_failed();
            if !body_failed {
                let succeeded = !result.as_ref().is_err_and(SendError::is_outage);
                self.circuit_breaker.record(admission, succeeded);
            }
            let error = match result {
                Err(error) if !body_failed && retry.applies_to(&error) => error,
                result => return result,
            };
            let Some(delay) = delays.next() else { return Err(error) };
            let delay = delay.max(error.retry_after());
            // `Retry-After` may ask for more time than is left.
            if delay >= deadline.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            last = Some(error.into());
            observe::retry(delay);
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt(
        &self,
        mut call: Call,
        request: RequestBuilder,
        progress: &UploadProgress,
    ) -> Result<Reply, SendError> {
        let request = request.build().map_err(|error| call.transport(error))?;
        let response = redirect::send(&call, &self.http, request);
        let response = progress
            .wait_for_response(self.request_timeout, self.idle_timeout, response)
            .await
            .map_err(|after| call.timeout("the media service did not respond", after))??;
        call.status = Some(response.status());
        if response.status().is_success() {
            return Ok(Reply { call, response });
        }
        let error = ErrorResponse::new(call, &response);
        let (reason, failure_reason) = match self.error_body(Reply { call, response }).await {
            Some((reason, failure_reason)) => (Some(reason), failure_reason),
            None => (None, None),
        };
        Err(SendError::Status(ErrorResponse { reason, failure_reason, ..error }))
    }

    /// Reads an error body, if it is short and arrives in time.
    async fn error_body(
        &self,
        reply: Reply,
    ) -> Option<(String, Option<crate::media::FailureReason>)> {
        if reply.response.headers().get(header::CONTENT_TYPE)? != "application/json" {
            return None;
        }
        let read = self.body_up_to(MAX_ERROR_BODY, reply);
        let body = tokio::time::timeout(self.idle_timeout, read).await.ok()?.ok()?;
        let ErrorBody { error, reason } = serde_json::from_slice(&body).ok()?;
        Some((error.into_owned(), reason))
    }

    /// Reads and parses a JSON body within bounds of time and size.
    pub(super) async fn json<T: DeserializeOwned>(&self, reply: Reply) -> Result<T> {
        let call = reply.call;
        call.parse(&self.body(reply).await?)
    }

    /// Reads a body into memory within bounds of time and size.
    pub(super) async fn body(&self, reply: Reply) -> Result<Bytes> {
        self.body_up_to(MAX_BODY, reply).await
    }

    /// As [`body`](Self::body), of at most `max` bytes.
    pub(super) async fn body_up_to(&self, max: usize, reply: Reply) -> Result<Bytes> {
        let Reply { call, mut response } = reply;
        let too_large = || {
            let what = format_args!("the media service sent a body of more than {max} bytes");
            call.error(ErrorKind::Unexpected, what)
        };
        if response.content_length().is_some_and(|length| length > max as u64) {
            return Err(too_large());
        }
        let read = async {
            let mut body = BytesMut::new();
            while let Some(chunk) = self.chunk(&call, &mut response).await? {
                body.extend_from_slice(&chunk);
                if body.len() > max {
                    return Err(too_large());
                }
            }
            Ok(body.freeze())
        };
        let deadline = 2 * self.request_timeout;
        tokio::time::timeout(deadline, read).await.unwrap_or_else(|_| {
            Err(call.timeout("the body of the media service's response did not end", deadline))
        })
    }

    /// Reads the next chunk of a body, within the idle timeout.
    pub(super) async fn chunk(
        &self,
        call: &Call,
        response: &mut Response,
    ) -> Result<Option<Bytes>> {
        match tokio::time::timeout(self.idle_timeout, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| call.transport(error)),
            Err(_) => Err(call.timeout("the media service sent no bytes", self.idle_timeout)),
        }
    }
}

/// The delays between attempts, with jitter, so that clients that failed together do not retry together.
fn delays(retries: usize) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(DELAYS.0)
        .with_max_delay(DELAYS.1)
        .with_max_times(retries)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn r06_retry_delays_grow_to_a_bound_with_jitter() {
        let schedules: Vec<Vec<Duration>> = (0..200).map(|_| delays(8).collect()).collect();
        for (n, base) in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000].into_iter().enumerate() {
            let base = Duration::from_millis(base);
            let nth: HashSet<Duration> = schedules.iter().map(|schedule| schedule[n]).collect();
            assert!(nth.iter().all(|delay| (base..2 * base).contains(delay)), "{nth:?}");
            assert!(nth.len() > 100, "without jitter: {nth:?}");
            // The jitter spreads over the whole interval.
            let early = base + base / 4;
            let late = 2 * base - base / 4;
            assert!(nth.iter().any(|p| *p < early) && nth.iter().any(|p| *p > late), "{nth:?}");
        }
        assert!(schedules.iter().all(|schedule| schedule.len() == 8));
        assert_eq!(delays(0).count(), 0);
    }
}
