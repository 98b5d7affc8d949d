//! Errors of the media protocol: a status and `{"error":"<text>"}`.

use std::{borrow::Cow, error::Error as StdError};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    error::{Error, ErrorKind},
    media::FailureReason,
    protocol::ErrorBody,
};

pub(super) const NO_MEDIA: &str = "Media not found";
pub(super) const NO_FILE: &str = "File not found";

/// A response with an error status.
#[derive(Debug)]
pub(super) struct ServiceError {
    status: StatusCode,
    error: Cow<'static, str>,
    /// The size of the file, if a range is not satisfiable.
    complete_length: Option<u64>,
    /// The reason why a rendition cannot be made.
    reason: Option<FailureReason>,
}

impl ServiceError {
    pub(super) fn new(status: StatusCode, error: impl Into<Cow<'static, str>>) -> Self {
        Self { status, error: error.into(), complete_length: None, reason: None }
    }

    pub(super) fn bad_request(error: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(super) fn with_reason(self, reason: FailureReason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    pub(super) fn not_found(error: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }
}

impl From<Error> for ServiceError {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotOwned => return Self::not_found(NO_MEDIA),
            ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
            kind => kind.status(),
        };
        // The causes of a server error are logged, not sent to the client.
        if !status.is_server_error() || error.kind() == ErrorKind::Unsupported {
            let complete_length = error.complete_length();
            let reason = error.failure_reason();
            return Self { complete_length, reason, ..Self::new(status, error.to_string()) };
        }
        tracing::error!(
            kind = ?error.kind(),
            error = &error as &dyn StdError,
            "a request to the media service failed"
        );
        Self::new(status, error.problem().detail)
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: self.error, reason: self.reason };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(length) = self.complete_length {
            let range = HeaderValue::try_from(format!("bytes */{length}"));
            headers.insert(header::CONTENT_RANGE, range.expect("digits are a valid header value"));
        }
        response
    }
}
