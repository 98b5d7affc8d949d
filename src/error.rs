//! The error of this crate, its kinds, and its responses.

pub use crate::{
    id::{InvalidContentHash, InvalidMediaId},
    owner::{InvalidOwner, InvalidScope},
    problem::Problem,
};

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{id::UnverifiedId, media::FailureReason};

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type BoxError = Box<dyn StdError + Send + Sync>;

/// The kind of an [`Error`], with the status of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The media does not exist, or its bytes are missing. 404.
    NotFound,
    /// At least one id is not the owner's; [`Error::missing`] names them. 404, like an unknown id.
    NotOwned,
    /// An argument is invalid. 422.
    InvalidInput,
    /// More bytes than the limit. 413.
    TooLarge,
    /// The requested range is beyond the end of the content. 416.
    RangeNotSatisfiable,
    /// The backend does not support the operation. 501.
    Unsupported,
    /// The media was uploaded, but could not be processed. 422.
    Failed,
    /// The backend cannot be reached, or is at its capacity. 503; try again.
    Unavailable,
    /// The backend did not answer in time. 504; try again.
    Timeout,
    /// The backend gave an invalid answer. 502.
    Unexpected,
    /// Bytes were damaged or truncated in transfer or storage. 502.
    Integrity,
    /// A fault of the server, such as a panic in a backend or a failed database. 500.
    Internal,
}

impl ErrorKind {
    /// Returns the status of the response to a client.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NotOwned => StatusCode::NOT_FOUND,
            Self::InvalidInput | Self::Failed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Unexpected | Self::Integrity => StatusCode::BAD_GATEWAY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn slug(self) -> &'static str {
        match self {
            Self::NotFound | Self::NotOwned => "media-not-found",
            Self::InvalidInput => "invalid-media-input",
            Self::TooLarge => "media-too-large",
            Self::RangeNotSatisfiable => "media-range-not-satisfiable",
            Self::Unsupported => "media-unsupported",
            Self::Failed => "media-failed",
            Self::Unavailable => "media-unavailable",
            Self::Timeout => "media-timeout",
            Self::Unexpected => "media-unexpected",
            Self::Integrity => "media-integrity",
            Self::Internal => "media-internal",
        }
    }
}

/// An error of this crate, and of every backend.
///
/// [`kind`](Self::kind) classifies the failure, `Display` describes it, and [`source`](StdError::source) is
/// its cause. `Display` does not contain the source: print the chain in logs.
///
/// As a response it is `application/problem+json` with the status of its kind. If the server is at fault,
/// the text is fixed, so that no internals reach a client.
///
/// ```
/// use tower_media::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Unavailable, "the database refused the connection");
/// assert!(error.is_transient());
/// assert_eq!(error.to_string(), "the database refused the connection");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<BoxError>,
    missing: Vec<UnverifiedId>,
    complete_length: Option<u64>,
    failure_reason: Option<FailureReason>,
}

impl Error {
    /// Creates an error. The message begins in lower case, has no full stop, and names the operation that
    /// failed.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
            missing: Vec::new(),
            complete_length: None,
            failure_reason: None,
        }))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Describes media that cannot be processed, as [`ErrorKind::Failed`]. The message is that of
    /// [`new`](Self::new).
    pub fn failed(reason: FailureReason, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(ErrorKind::Failed, message);
        error.0.failure_reason = Some(reason);
        error
    }

    /// Creates the error for media that does not exist, or that its backend does not reveal.
    pub(crate) fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "the media was not found")
    }

    pub(crate) fn not_owned(missing: Vec<UnverifiedId>) -> Self {
        let count = missing.len();
        let mut error =
            Self::new(ErrorKind::NotOwned, format!("{count} of the media ids not found"));
        error.0.missing = missing;
        error
    }

    /// Creates the error for a range beyond the end of content with this length, if the length is known.
    pub fn range_not_satisfiable(complete_length: Option<u64>) -> Self {
        let what = "the requested range is beyond the end of the content";
        let mut error = Self::new(ErrorKind::RangeNotSatisfiable, what);
        error.0.complete_length = complete_length;
        error
    }

    pub(crate) fn timeout(what: &str, after: Duration) -> Self {
        Self::new(ErrorKind::Timeout, format!("{what} took longer than {after:?}"))
    }

    /// Copies an error for one of several callers that waited for the same operation.
    #[cfg(any(feature = "store", feature = "remote", feature = "routes"))]
    pub(crate) fn shared(error: std::sync::Arc<Self>) -> Self {
        let mut shared = Self::new(error.kind(), error.to_string());
        shared.0.failure_reason = error.0.failure_reason;
        shared.with_source(error)
    }

    /// Returns the kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
    }

    /// Returns the ids that are not the owner's, in the caller's spelling and order. Empty unless the kind is [`ErrorKind::NotOwned`].
    pub fn missing(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.missing.iter().map(UnverifiedId::text)
    }

    pub(crate) fn into_missing(self) -> Vec<UnverifiedId> {
        self.0.missing
    }

    /// Returns the length of the content, if known. `None` unless the kind is
    /// [`ErrorKind::RangeNotSatisfiable`].
    pub fn complete_length(&self) -> Option<u64> {
        self.0.complete_length
    }

    /// Returns the reason why the media cannot be processed. `None` unless the kind is
    /// [`ErrorKind::Failed`], for which the default is [`FailureReason::Unreadable`].
    pub fn failure_reason(&self) -> Option<FailureReason> {
        let reason = self.0.failure_reason.unwrap_or(FailureReason::Unreadable);
        (self.kind() == ErrorKind::Failed).then_some(reason)
    }

    /// Returns the problem document for a client.
    pub fn problem(&self) -> Problem {
        let kind = self.kind();
        let text = self.to_string();
        let detail = match kind {
            ErrorKind::NotOwned => Cow::from("Some of the media ids were not found."),
            ErrorKind::Unavailable => {
                "The media could not be reached. Try again in a moment.".into()
            }
            ErrorKind::Timeout => "The media did not answer in time. Try again in a moment.".into(),
            ErrorKind::Unexpected => "The media could not be checked.".into(),
            ErrorKind::Integrity => "The media did not arrive as it was sent.".into(),
            ErrorKind::Internal => "Something went wrong on the server.".into(),
            _ => sentence(&text).into(),
        };
        Problem::new(kind.status(), kind.slug(), detail)
            .with_missing(self.missing())
            .with_reason(self.failure_reason())
    }
}

/// Returns an error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = f.debug_struct("Error");
        error.field("kind", &self.0.kind).field("message", &self.0.message);
        if !self.0.missing.is_empty() {
            error.field("missing", &self.0.missing);
        }
        if let Some(source) = &self.0.source {
            error.field("source", source);
        }
        error.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<InvalidMediaId> for Error {
    fn from(error: InvalidMediaId) -> Self {
        Self::new(ErrorKind::InvalidInput, error.to_string())
    }
}

impl From<InvalidOwner> for Error {
    fn from(error: InvalidOwner) -> Self {
        Self::new(ErrorKind::InvalidInput, error.to_string())
    }
}

impl From<InvalidScope> for Error {
    fn from(error: InvalidScope) -> Self {
        Self::new(ErrorKind::InvalidInput, error.to_string())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if self.kind().status().is_server_error() {
            tracing::error!(kind = ?self.kind(), error = &self as &dyn StdError, "media call failed");
        }
        let mut response = self.problem().into_response();
        if let Some(length) = self.complete_length() {
            let range = HeaderValue::try_from(format!("bytes */{length}"));
            response
                .headers_mut()
                .insert(header::CONTENT_RANGE, range.expect("digits are a valid header value"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_fault_shows_no_internals_to_the_client() {
        let error = Error::new(ErrorKind::Unavailable, "no route to db-7")
            .with_source(std::io::Error::other("password refused"));
        let text = serde_json::to_string(&error.problem()).expect("a problem serialises");
        assert!(!text.contains("db-7") && !text.contains("password"), "{text}");
        assert_eq!(error.source().expect("the source is kept").to_string(), "password refused");
    }

    #[test]
    fn a_client_fault_is_described_in_a_sentence() {
        let error = Error::new(ErrorKind::InvalidInput, "the upload has no owner");
        let problem = serde_json::to_value(error.problem()).expect("a problem serialises");
        assert_eq!(problem["detail"], "The upload has no owner.");
        assert_eq!(problem["status"], 422);
    }
}
