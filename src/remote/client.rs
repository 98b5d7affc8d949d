//! Requests out, answers in: deadlines, retries, and what a status means.

use std::{fmt, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{circuit::Circuit, observe, progress::Progress};
use crate::error::{Error, ErrorKind, Result};

/// The largest answer about a few things, in bytes.
const MAX_ANSWER: usize = 8 << 20;

/// The largest list of all that an owner has, in bytes: some 100,000 rows.
pub(super) const MAX_LIST: usize = 128 << 20;

/// The longest reason for a refusal, in bytes.
const MAX_REASON: usize = 4 << 10;

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

/// An answer that is no success.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What the service says of a refusal on purpose. For no client's eyes.
    pub(super) reason: Option<String>,
    retry_after: Option<Duration>,
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
    pub(super) async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Response> {
        self.send_any(Retry::Transient, || (request(), Progress::default()))
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
        retry: Retry,
        mut make: impl FnMut() -> (RequestBuilder, Progress),
    ) -> Result<Result<Response, Refusal>> {
        let deadline = Instant::now() + 2 * self.request_timeout;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(self.retries)
            .with_jitter()
            .build();
        loop {
            let admitted = self.circuit.admit()?;
            let (request, progress) = make();
            let result = self.attempt(request, &progress).await;
            let was_there = match &result {
                Ok(answer) => !answer.as_ref().is_err_and(Refusal::says_later),
                Err(error) => !error.is_transient(),
            };
            // A body that broke off says nothing about the service.
            if !progress.broke_off() {
                self.circuit.note(admitted, was_there);
            }
            let worth = match &result {
                Ok(Ok(_)) => false,
                Ok(Err(refusal)) => {
                    // With a reason it was no accident, and would be refused again.
                    refusal.says_later()
                        || retry == Retry::ServerErrors
                            && refusal.status == StatusCode::INTERNAL_SERVER_ERROR
                            && refusal.reason.is_none()
                }
                Err(error) => error.is_transient(),
            };
            let worth = worth && !progress.broke_off();
            let again = (worth && retry != Retry::Never).then(|| pauses.next()).flatten();
            let Some(pause) = again else { return result };
            let asked = result.as_ref().ok().and_then(|answer| answer.as_ref().err()?.retry_after);
            let pause = pause.max(asked.unwrap_or_default());
            // The service may ask for more time than there is.
            if pause >= deadline.saturating_duration_since(Instant::now()) {
                return result;
            }
            observe::retried(pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        request: RequestBuilder,
        progress: &Progress,
    ) -> Result<Result<Response, Refusal>> {
        let answer = progress.watch(self.request_timeout, request.send()).await?;
        let response = answer.map_err(transport)?;
        Ok(match sort(&response) {
            Ok(()) => Ok(response),
            Err(refusal) => Err(Refusal { reason: self.reason(response).await, ..refusal }),
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

pub(super) fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "the media service sent JSON that it should not")
            .with_source(error)
    })
}

fn sort(response: &Response) -> Result<(), Refusal> {
    if response.status().is_success() {
        return Ok(());
    }
    // In seconds (RFC 9110, section 10.2.3); the form with a date is not worth a clock.
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs));
    Err(Refusal { status: response.status(), reason: None, retry_after })
}

impl Refusal {
    /// Whether the service, or what stands before it, is not able to answer now. 500 does not say so:
    /// the recorded service answers it to every question that it does not understand.
    fn says_later(&self) -> bool {
        matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        )
    }
}

impl From<Refusal> for Error {
    fn from(Refusal { status, .. }: Refusal) -> Self {
        let kind = match status {
            StatusCode::NOT_FOUND => ErrorKind::NotFound,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::InvalidInput,
            StatusCode::GATEWAY_TIMEOUT => ErrorKind::Timeout,
            // A database or a store that is down, among much else.
            StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE => ErrorKind::Unavailable,
            // A redirect that was not followed, 401 or 403 for a wrong key, and whatever else the
            // protocol does not have.
            _ => ErrorKind::Unexpected,
        };
        Self::new(kind, format!("the media service answered {status}"))
    }
}

/// What went wrong below HTTP. URLs stay out: they name owners.
pub(super) fn transport(error: reqwest::Error) -> Error {
    let (kind, what) = if error.is_timeout() {
        (ErrorKind::Timeout, "the media service took too long")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "the media service cannot be reached")
    } else if error.is_redirect() {
        (ErrorKind::Unexpected, "the media service redirects to another host")
    } else if error.is_builder() {
        (ErrorKind::InvalidInput, "the request to the media service cannot be made")
    } else {
        (ErrorKind::Unavailable, "the connection to the media service broke off")
    };
    Error::new(kind, what).with_source(error.without_url())
}
