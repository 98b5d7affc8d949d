//! The reasons to refuse a request of the tus protocol.

use std::sync::Arc;

use axum::{
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};

use super::names::{UPLOAD_OFFSET, VERSION, VERSIONS};
use crate::{
    error::{Error, ErrorKind},
    problem::Problem,
    routes::upload::{UploadRejection, observe},
};

/// The reason why a request was refused. Its response is `application/problem+json`.
#[derive(Debug, Clone)]
pub(super) enum TusRejection {
    /// `Tus-Resumable` is missing or names another version: 412.
    WrongVersion,
    /// A header is missing or malformed: 400.
    InvalidHeader(&'static str, &'static str),
    /// The content type of a part is not `application/offset+octet-stream`: 415.
    NotAPart,
    /// The upload is unknown, has expired, or is another owner's: 404.
    Unknown,
    /// The part does not begin at this offset, where the upload ends: 409.
    WrongOffset(u64),
    /// Another request has added a part at the same offset: 409.
    Continued,
    /// The part does not have the checksum that its header names: 460, as tus specifies.
    ChecksumMismatch,
    /// The part ends behind the declared length, in bytes: 413.
    TooLong(u64),
    /// The owner has this many unfinished uploads: 429.
    TooManyUnfinished(usize),
    /// The reasons of any upload.
    Upload(UploadRejection),
}

impl TusRejection {
    /// Returns whether the upload can never be finished.
    pub(super) fn is_final(&self) -> bool {
        use UploadRejection as Upload;
        matches!(
            self,
            Self::Upload(
                Upload::UnsupportedType(_)
                    | Upload::TooLarge(_)
                    | Upload::TooManyPixels(..)
                    | Upload::Unmeasurable
            )
        )
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Upload(UploadRejection::Failed(error)) => {
                Error::new(error.kind(), "the upload could not be continued").with_source(error)
            }
            other => Error::new(ErrorKind::InvalidInput, other.problem().detail.into_owned()),
        }
    }

    fn problem(&self) -> Problem {
        let (status, slug, detail) = match self {
            Self::Upload(rejection) => return rejection.problem(),
            Self::WrongVersion => (
                StatusCode::PRECONDITION_FAILED,
                "tus-version",
                "Send the header `Tus-Resumable: 1.0.0`.".to_owned(),
            ),
            Self::InvalidHeader(name, expected) => (
                StatusCode::BAD_REQUEST,
                "invalid-header",
                format!("The header `{name}` must be {expected}."),
            ),
            Self::NotAPart => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-a-part",
                "Send the part as `application/offset+octet-stream`.".to_owned(),
            ),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "unknown-upload",
                "The upload is unknown or has expired. Create it again.".to_owned(),
            ),
            Self::WrongOffset(offset) => (
                StatusCode::CONFLICT,
                "wrong-offset",
                format!("The next part begins at offset {offset}."),
            ),
            Self::Continued => (
                StatusCode::CONFLICT,
                "wrong-offset",
                "Another request has continued the upload. Ask for its offset with HEAD."
                    .to_owned(),
            ),
            Self::ChecksumMismatch => (
                // tus 1.0, extension "checksum".
                StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST),
                "checksum-mismatch",
                "The part does not have its checksum. Send it again.".to_owned(),
            ),
            Self::TooLong(length) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "part-too-long",
                format!("The upload was declared to have {length} bytes."),
            ),
            Self::TooManyUnfinished(limit) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-unfinished-uploads",
                format!("You have {limit} unfinished uploads. Finish or end one first."),
            ),
        };
        let problem = Problem::new(status, slug, detail);
        match self {
            Self::TooManyUnfinished(limit) => problem.with_limit(*limit),
            Self::TooLong(length) => {
                problem.with_limit(usize::try_from(*length).unwrap_or(usize::MAX))
            }
            _ => problem,
        }
    }
}

impl From<UploadRejection> for TusRejection {
    fn from(rejection: UploadRejection) -> Self {
        Self::Upload(rejection)
    }
}

impl From<Error> for TusRejection {
    fn from(error: Error) -> Self {
        Self::Upload(error.into())
    }
}

impl IntoResponse for TusRejection {
    fn into_response(self) -> Response {
        if let Self::Upload(rejection) = self {
            return rejection.into_response();
        }
        let problem = self.problem();
        let error = Error::new(ErrorKind::InvalidInput, problem.detail.clone());
        observe::refused("tus", false, &error);
        let mut response = problem.into_response();
        match self {
            Self::WrongVersion => {
                response.headers_mut().insert(VERSIONS, HeaderValue::from_static(VERSION));
            }
            Self::WrongOffset(offset) => {
                response.headers_mut().insert(UPLOAD_OFFSET, offset.into());
            }
            _ => {}
        }
        response
    }
}

/// The rejection of a body whose reading failed with `error`.
pub(super) fn body_rejection(error: axum::Error) -> TusRejection {
    let error = Error::new(ErrorKind::InvalidInput, "the part ended early").with_source(error);
    let error = Arc::new(error);
    match UploadRejection::in_chain(&error) {
        Some(rejection) => rejection.into(),
        None => UploadRejection::Malformed(error).into(),
    }
}
