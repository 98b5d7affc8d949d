//! What an answer means that is no success, and what went wrong below HTTP.

use std::time::Duration;

use reqwest::{Response, StatusCode, header};

use crate::error::{Error, ErrorKind, Result};

/// An answer that is no success.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What the service says of a refusal on purpose. For no client's eyes.
    pub(super) reason: Option<String>,
    /// When the service wants to be asked again.
    pub(super) retry_after: Option<Duration>,
    /// How many bytes there are in all, of which a range had none.
    pub(super) complete_length: Option<u64>,
}

impl Refusal {
    /// What the head of an answer says, unless it is a success.
    pub(super) fn of(response: &Response) -> Option<Self> {
        if response.status().is_success() {
            return None;
        }
        // In seconds (RFC 9110, section 10.2.3); the form with a date is not worth a clock.
        let retry_after = text(response, header::RETRY_AFTER)
            .and_then(|text| text.trim().parse().ok().map(Duration::from_secs));
        let complete_length = text(response, header::CONTENT_RANGE)
            .and_then(|text| text.strip_prefix("bytes */")?.parse().ok());
        Some(Self { status: response.status(), reason: None, retry_after, complete_length })
    }

    /// Whether the service, or what stands before it, is not able to answer now. 500 does not say so:
    /// the recorded service answers it to every question that it does not understand.
    pub(super) fn says_later(&self) -> bool {
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

/// A header's value, if it is there and is text.
pub(super) fn text(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// Reads JSON as the protocol has it.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "the media service sent JSON that it should not")
            .with_source(error)
    })
}

/// What went wrong below HTTP. URLs stay out: they name owners.
pub(super) fn transport(error: reqwest::Error) -> Error {
    let (kind, what) = if error.is_timeout() {
        (ErrorKind::Timeout, "the media service took too long")
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "the media service cannot be reached")
    } else if error.is_builder() {
        (ErrorKind::InvalidInput, "the request to the media service cannot be made")
    } else {
        (ErrorKind::Unavailable, "the connection to the media service broke off")
    };
    Error::new(kind, what).with_source(error.without_url())
}
