//! Requests out, answers in: deadlines, retries, and bounds on what comes back.

use std::{fmt, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    circuit_breaker::Circuit,
    observe, redirect,
    response::{Refusal, parse, transport},
    upload_progress::Progress,
};
use crate::error::{Error, ErrorKind, Result};

/// The largest answer about a few things, in bytes.
const MAX_ANSWER: usize = 8 << 20;

/// The largest list of all that an owner has, in bytes: some 100,000 rows.
pub(super) const MAX_LIST: usize = 128 << 20;

/// The longest reason for a refusal, in bytes.
const MAX_REASON: usize = 4 << 10;

/// The first pause before a request is sent again, and the longest, each before it varies: it is up to
/// twice as long.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A connection to a media service.
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) base: Url,
    pub(super) request_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) retries: usize,
    pub(super) circuit: Circuit,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// When the same request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Never: it must not arrive twice.
    Never,
    /// After broken connections and answers that say "later".
    Transient,
    /// After 500 as well: the service answers it when two uploads of equal bytes meet.
    ServerErrors,
}

impl Retry {
    fn is_worth_while(self, result: &Result<Result<Response, Refusal>>) -> bool {
        match result {
            _ if self == Self::Never => false,
            Ok(Ok(_)) => false,
            // With a reason it was no accident, and would be refused again.
            Ok(Err(refusal)) => {
                refusal.says_later()
                    || self == Self::ServerErrors
                        && refusal.status == StatusCode::INTERNAL_SERVER_ERROR
                        && refusal.reason.is_none()
            }
            Err(error) => error.is_transient(),
        }
    }
}

impl Client {
    /// The URL of a path below `/api/v1/media`. Segments are encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        self.at(["api", "v1", "media"].iter().chain(segments))
    }

    /// The URL of a path at the root of the service.
    pub(super) fn root(&self, path: &str) -> Url {
        self.at([path])
    }

    fn at(&self, segments: impl IntoIterator<Item: AsRef<str>>) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("the builder has refused URLs without a path")
            .pop_if_empty()
            .extend(segments);
        url
    }

    /// Where browsers find `/media/…`, if nobody said otherwise.
    pub(super) fn public_base(&self) -> String {
        self.at(["api", "v1"]).into()
    }

    pub(super) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.http.request(method, self.url(segments))
    }

    /// Sends a request that may be sent again, and waits for the head of an answer that is a success.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response> {
        self.send_any(operation, Retry::Transient, || (request(), Progress::default()))
            .await?
            .map_err(Error::from)
    }

    /// Sends a request and waits for the head of the answer, be it a refusal.
    ///
    /// Tried again, as `retry` says, after pauses that grow and vary, or that the service asks for. No
    /// attempt begins later than twice the time of one request after the first. An attempt whose body
    /// moves, by its progress, has all the time it needs.
    pub(super) async fn send_any(
        &self,
        operation: &'static str,
        retry: Retry,
        make: impl FnMut() -> (RequestBuilder, Progress),
    ) -> Result<Result<Response, Refusal>> {
        let span = observe::call(operation);
        let mut attempts = 0;
        let sending = self.send_until(&mut attempts, retry, make);
        let result = sending.instrument(span.clone()).await;
        let status = match &result {
            Ok(Ok(response)) => Ok(response.status()),
            Ok(Err(refusal)) => Ok(refusal.status),
            Err(error) => Err(error.kind()),
        };
        observe::answered(&span, attempts, status);
        result
    }

    async fn send_until(
        &self,
        attempts: &mut u32,
        retry: Retry,
        mut make: impl FnMut() -> (RequestBuilder, Progress),
    ) -> Result<Result<Response, Refusal>> {
        let deadline = Instant::now() + 2 * self.request_timeout;
        let mut pauses = pauses(self.retries);
        let mut last: Option<Error> = None;
        loop {
            let admitted = self.circuit.admit().map_err(|error| match last.take() {
                Some(cause) => error.with_source(cause),
                None => error,
            })?;
            *attempts += 1;
            let (request, progress) = make();
            let result = self.attempt(request, &progress).await;
            let was_there = match &result {
                Ok(answer) => !answer.as_ref().is_err_and(Refusal::says_later),
                Err(error) => !error.is_transient(),
            };
            // A body that broke off says nothing about the service, and would break off again.
            let broke_off = progress.broke_off();
            if !broke_off {
                self.circuit.note(admitted, was_there);
            }
            let worth = !broke_off && retry.is_worth_while(&result);
            let Some(pause) = worth.then(|| pauses.next()).flatten() else { return result };
            let asked = result.as_ref().ok().and_then(|answer| answer.as_ref().err()?.retry_after);
            let pause = pause.max(asked.unwrap_or_default());
            // The service may ask for more time than there is.
            if pause >= deadline.saturating_duration_since(Instant::now()) {
                return result;
            }
            last = result.map_or_else(Some, |answer| answer.err().map(Error::from));
            observe::retried(pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        request: RequestBuilder,
        progress: &Progress,
    ) -> Result<Result<Response, Refusal>> {
        let request = request.build().map_err(transport)?;
        let answer = redirect::send(&self.http, request);
        let response = progress.watch(self.request_timeout, self.idle_timeout, answer).await??;
        Ok(match Refusal::of(&response) {
            None => Ok(response),
            Some(refusal) => Err(Refusal { reason: self.reason(response).await, ..refusal }),
        })
    }

    /// Reads why the service refused, if it says so in short and soon.
    async fn reason(&self, response: Response) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Refused {
            error: String,
        }
        if response.headers().get(header::CONTENT_TYPE)? != "application/json" {
            return None;
        }
        let read = self.body_up_to(MAX_REASON, response);
        let body = tokio::time::timeout(self.idle_timeout, read).await.ok()?.ok()?;
        Some(serde_json::from_slice::<Refused>(&body).ok()?.error)
    }

    /// Reads a JSON answer, however it is cut up, within bounds of time and size.
    pub(super) async fn json<T: DeserializeOwned>(&self, response: Response) -> Result<T> {
        let body = self.body(response).await?;
        parse(&body)
    }

    /// Reads an answer into memory, within bounds of time and size.
    pub(super) async fn body(&self, response: Response) -> Result<Bytes> {
        self.body_up_to(MAX_ANSWER, response).await
    }

    /// As [`body`](Self::body), with a bound of the caller's.
    pub(super) async fn body_up_to(&self, max: usize, mut response: Response) -> Result<Bytes> {
        let too_large = || Error::new(ErrorKind::Unexpected, "the media service sent far too much");
        if response.content_length().is_some_and(|length| length > max as u64) {
            return Err(too_large());
        }
        let read = async {
            let mut body = BytesMut::new();
            while let Some(chunk) = self.idle(response.chunk()).await? {
                body.extend_from_slice(&chunk);
                if body.len() > max {
                    return Err(too_large());
                }
            }
            Ok(body.freeze())
        };
        let deadline = 2 * self.request_timeout;
        tokio::time::timeout(deadline, read)
            .await
            .unwrap_or_else(|_| Err(Error::timeout("the answer of the media service", deadline)))
    }

    pub(super) async fn idle<T>(
        &self,
        read: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T> {
        match tokio::time::timeout(self.idle_timeout, read).await {
            Ok(read) => read.map_err(transport),
            Err(_) => Err(Error::timeout("the next bytes of the media service", self.idle_timeout)),
        }
    }
}

/// The pauses between attempts. They vary, so that those who failed together do not come back together.
fn pauses(retries: usize) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .with_max_times(retries)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn r06_pauses_grow_to_a_bound_and_vary() {
        let schedules: Vec<Vec<Duration>> = (0..200).map(|_| pauses(8).collect()).collect();
        for (n, base) in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000].into_iter().enumerate() {
            let base = Duration::from_millis(base);
            let nth: HashSet<Duration> = schedules.iter().map(|schedule| schedule[n]).collect();
            assert!(nth.iter().all(|pause| (base..2 * base).contains(pause)), "{nth:?}");
            assert!(nth.len() > 100, "they vary: {nth:?}");
            // From end to end, not by a little.
            let early = base + base / 4;
            let late = 2 * base - base / 4;
            assert!(nth.iter().any(|p| *p < early) && nth.iter().any(|p| *p > late), "{nth:?}");
        }
        assert!(schedules.iter().all(|schedule| schedule.len() == 8));
        assert_eq!(pauses(0).count(), 0);
    }
}
