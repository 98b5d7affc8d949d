//! Responses with an error status.

use std::time::Duration;

use reqwest::{Response, StatusCode, header};

use super::call::Call;
use crate::{
    error::{Error, ErrorKind},
    media::FailureReason,
};

/// A response with a success status whose body has not been read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) call: Call,
    pub(super) response: Response,
}

/// The reason why a call has no [`Reply`].
#[derive(Debug)]
pub(super) enum SendError {
    /// The service responded with an error status.
    Status(ErrorResponse),
    /// No usable response arrived.
    NoResponse(Error),
}

impl SendError {
    /// Returns whether the same call may succeed later.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Status(response) => response.is_outage(),
            Self::NoResponse(error) => error.is_transient(),
        }
    }

    /// Returns the delay before the next attempt that the service asks for.
    pub(super) fn retry_after(&self) -> Duration {
        match self {
            Self::Status(response) => response.retry_after.unwrap_or_default(),
            Self::NoResponse(_) => Duration::ZERO,
        }
    }
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::NoResponse(error)
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Status(response) => response.into(),
            SendError::NoResponse(error) => error,
        }
    }
}

/// A response with an error status.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    pub(super) call: Call,
    pub(super) status: StatusCode,
    /// The `error` of the JSON body. Not shown to clients.
    pub(super) reason: Option<String>,
    /// The reason why a rendition cannot be made.
    pub(super) failure_reason: Option<FailureReason>,
    pub(super) retry_after: Option<Duration>,
    /// The length of the media, from the `Content-Range` of a 416.
    pub(super) complete_length: Option<u64>,
}

impl ErrorResponse {
    /// Reads the head of a response.
    pub(super) fn new(call: Call, response: &Response) -> Self {
        // Only the form in seconds (RFC 9110, section 10.2.3); a date would depend on both clocks.
        let retry_after = text(response, header::RETRY_AFTER)
            .and_then(|text| text.trim().parse().ok().map(Duration::from_secs));
        let complete_length = text(response, header::CONTENT_RANGE)
            .and_then(|text| text.strip_prefix("bytes */")?.parse().ok());
        Self {
            call,
            status: response.status(),
            reason: None,
            failure_reason: None,
            retry_after,
            complete_length,
        }
    }

    /// Returns whether the service, or a proxy in front of it, cannot respond now. 500 does not count: the
    /// original service responds with it to every request that it does not understand.
    fn is_outage(&self) -> bool {
        matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        )
    }

    /// Adds the details of the call as the source of an error whose text clients may see.
    pub(super) fn into_public(self, error: Error) -> Error {
        self.call.explain(error, RESPONDED)
    }
}

/// Describes an error status in errors; the status itself is among their details.
pub(super) const RESPONDED: &str = "the media service responded with an error";

impl From<ErrorResponse> for Error {
    fn from(response: ErrorResponse) -> Self {
        if let Some(reason) = response.failure_reason {
            let public = Self::failed(reason, "the media cannot be processed");
            return response.call.explain(public, RESPONDED);
        }
        let kind = match response.status {
            StatusCode::NOT_FOUND => {
                return response.into_public(Error::not_found());
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                let text = "the media is larger than the media service accepts";
                return response.into_public(Error::new(ErrorKind::TooLarge, text));
            }
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                let text = "the media service rejected the request as invalid";
                return response.into_public(Error::new(ErrorKind::InvalidInput, text));
            }
            StatusCode::GATEWAY_TIMEOUT => ErrorKind::Timeout,
            // 500 covers a database or an object store that is down, and much else.
            StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE => ErrorKind::Unavailable,
            // A redirect that is not followed, 401 or 403 for a wrong key, and every status that the
            // protocol does not use.
            _ => ErrorKind::Unexpected,
        };
        response.call.error(kind, RESPONDED)
    }
}

/// Returns a header's value if it is visible ASCII.
pub(super) fn text(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}
