//! What can go wrong, to what, and what a caller may do about it.

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

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Says what kind of thing went wrong. See [`Error::kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such media, or its bytes are gone. 404.
    NotFound,
    /// At least one id is not the owner's; [`Error::missing`] names them. 404, like an unknown id.
    NotOwned,
    /// The call makes no sense as it was made. 422.
    InvalidInput,
    /// More bytes than the limit allows. 413.
    TooLarge,
    /// A part was asked for that has none of the bytes there are. 416.
    RangeNotSatisfiable,
    /// The backend does not do this. 501.
    Unsupported,
    /// It was uploaded but could not be processed. 422.
    Failed,
    /// The backend cannot be reached or has no room for more. 503; try again.
    Unavailable,
    /// The backend did not answer in time. 504; try again.
    Timeout,
    /// The backend answered what it must not answer. 502.
    Unexpected,
    /// Bytes arrived that are not those that were sent, or not whole. 502.
    Integrity,
    /// A fault on this side: a panic in a backend, an engine that failed. 500.
    Internal,
}

impl ErrorKind {
    /// Returns the status that a response to a client carries.
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
/// [`kind`](Self::kind) says what happened, `Display` to what, [`source`](StdError::source) why.
/// `Display` leaves the source out: print the chain in logs.
///
/// As a response it is `application/problem+json` with the status of its kind. For the kinds that
/// are a server's fault the text is fixed, so nothing of the inside reaches a client.
///
/// ```
/// use tower_media::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Unavailable, "the database is away");
/// assert!(error.is_transient());
/// assert_eq!(error.to_string(), "the database is away");
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
    /// Describes a failure. The message is lower case, has no full stop, and names what failed.
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

    pub(crate) fn not_owned(missing: Vec<UnverifiedId>) -> Self {
        let count = missing.len();
        let mut error =
            Self::new(ErrorKind::NotOwned, format!("{count} of the media ids not found"));
        error.0.missing = missing;
        error
    }

    /// Describes a range that has none of the bytes there are, so many in all if that is known.
    pub fn range_not_satisfiable(complete_length: Option<u64>) -> Self {
        let what = "none of the bytes asked for are there";
        let mut error = Self::new(ErrorKind::RangeNotSatisfiable, what);
        error.0.complete_length = complete_length;
        error
    }

    pub(crate) fn timeout(what: &str, after: Duration) -> Self {
        Self::new(ErrorKind::Timeout, format!("{what} took longer than {after:?}"))
    }

    /// Makes one of several errors for several callers who waited for the same thing.
    #[cfg(any(feature = "store", feature = "remote", feature = "routes"))]
    pub(crate) fn shared(error: std::sync::Arc<Self>) -> Self {
        let mut shared = Self::new(error.kind(), error.to_string());
        shared.0.failure_reason = error.0.failure_reason;
        shared.with_source(error)
    }

    /// Returns what kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
    }

    /// Returns the ids that are not the owner's, as the caller spelt them and in the order asked.
    /// Empty unless the kind is [`ErrorKind::NotOwned`].
    pub fn missing(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.missing.iter().map(UnverifiedId::text)
    }

    pub(crate) fn into_missing(self) -> Vec<UnverifiedId> {
        self.0.missing
    }

    /// Returns how many bytes there are in all, if a range had none of them and that is known. `None`
    /// unless the kind is [`ErrorKind::RangeNotSatisfiable`].
    pub fn complete_length(&self) -> Option<u64> {
        self.0.complete_length
    }

    /// Returns the reason why the media cannot be processed. `None` unless the kind is
    /// [`ErrorKind::Failed`], for which the default is [`FailureReason::Unreadable`].
    pub fn failure_reason(&self) -> Option<FailureReason> {
        let reason = self.0.failure_reason.unwrap_or(FailureReason::Unreadable);
        (self.kind() == ErrorKind::Failed).then_some(reason)
    }

    /// Returns the problem that a client is told.
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

/// An error's text as a sentence for people.
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
                .insert(header::CONTENT_RANGE, range.expect("digits are a header's value"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_fault_tells_the_client_nothing_of_the_inside() {
        let error = Error::new(ErrorKind::Unavailable, "no route to db-7")
            .with_source(std::io::Error::other("password refused"));
        let text = serde_json::to_string(&error.problem()).expect("a problem serialises");
        assert!(!text.contains("db-7") && !text.contains("password"), "{text}");
        assert_eq!(error.source().expect("the source is kept").to_string(), "password refused");
    }

    #[test]
    fn a_callers_fault_is_told_as_a_sentence() {
        let error = Error::new(ErrorKind::InvalidInput, "the upload has no owner");
        let problem = serde_json::to_value(error.problem()).expect("a problem serialises");
        assert_eq!(problem["detail"], "The upload has no owner.");
        assert_eq!(problem["status"], 422);
    }
}
