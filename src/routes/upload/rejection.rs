//! Why an upload was refused, each of which is a response that a front end can show.

use std::{error::Error as StdError, fmt, iter, sync::Arc};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    error::{Error, ErrorKind},
    problem::Problem,
};

/// Why an upload was refused. As a response it is `application/problem+json`.
///
/// Of an [`Error`] that an upload failed with it is made again by [`From`]: what was wrong with the
/// request, or else the backend's failure.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum UploadRejection {
    /// Nobody is signed in: 401.
    MissingOwner,
    /// The request was sent by a page of another origin: 403.
    CrossSite,
    /// The request is no `multipart/form-data`: 415.
    NotAForm,
    /// The form breaks off, or is not one: 400.
    Malformed(Arc<Error>),
    /// The form has no file: 422.
    NoFile,
    /// The form has more files than this: 422.
    TooManyFiles(usize),
    /// The form has more parts, larger heads or more text than any form of files: 413.
    TooManyParts,
    /// A file is none of these: 415.
    UnsupportedType(Arc<[String]>),
    /// A file is larger than this many bytes, or all of them together are: 413.
    TooLarge(u64),
    /// A file is larger than what its owner may still store: 413.
    QuotaExceeded,
    /// A picture is wider or higher than this many pixels: 422.
    TooManyPixels(u32, u32),
    /// The dimensions of a picture are not where they can be read: 422.
    Unmeasurable,
    /// The request came too slowly, or stopped: 408.
    TooSlow,
    /// The owner has as many uploads under way as is allowed: 429.
    OwnerTooBusy,
    /// There are as many uploads under way as is allowed: 503.
    TooBusy,
    /// The route was declared in a way that cannot work: 500.
    WrongWiring(&'static str),
    /// The backend did not take it.
    Failed(Arc<Error>),
}

impl UploadRejection {
    /// Returns the problem that the client is told.
    pub fn problem(&self) -> Problem {
        let (status, slug) = self.kind();
        let detail = match self {
            Self::MissingOwner => "Sign in to upload.".into(),
            Self::Failed(error) => return error.problem(),
            Self::CrossSite => "This may only be sent by pages of this site.".into(),
            Self::NotAForm => "Files are sent as multipart/form-data.".into(),
            Self::Malformed(_) => "The form could not be read to its end.".into(),
            Self::NoFile => "The form has no file.".into(),
            Self::TooManyFiles(limit) => format!("At most {limit} files are taken at once."),
            Self::TooManyParts => "The form has too many fields, or too much in them.".into(),
            Self::UnsupportedType(types) => {
                format!("The file is none of {}, whatever its name says.", types.join(", "))
            }
            Self::TooLarge(limit) => format!("The file is larger than {limit} bytes."),
            Self::QuotaExceeded => "There is not enough room left for the file.".into(),
            Self::TooManyPixels(width, height) => {
                format!("The picture is larger than {width} × {height} pixels.")
            }
            Self::Unmeasurable => "The size of the picture could not be read.".into(),
            Self::TooSlow => "The upload took too long. Try again.".into(),
            Self::OwnerTooBusy => "Too many uploads at once. Wait for the others.".into(),
            Self::TooBusy => "There are too many uploads just now. Try again in a moment.".into(),
            Self::WrongWiring(what) => (*what).to_owned(),
        };
        let problem = Problem::new(status, slug, detail);
        match self {
            Self::TooManyFiles(limit) => problem.with_limit(*limit),
            Self::TooLarge(limit) => {
                problem.with_limit(usize::try_from(*limit).unwrap_or(usize::MAX))
            }
            _ => problem,
        }
    }

    /// The status, and a bounded name for problems, logs and metrics (promise G16).
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingOwner => (StatusCode::UNAUTHORIZED, "not-signed-in"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross-site-upload"),
            Self::NotAForm => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-form"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed-form"),
            Self::NoFile => (StatusCode::UNPROCESSABLE_ENTITY, "no-file"),
            Self::TooManyFiles(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too-many-files"),
            Self::TooManyParts => (StatusCode::PAYLOAD_TOO_LARGE, "too-many-parts"),
            Self::UnsupportedType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-type"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "file-too-large"),
            Self::QuotaExceeded => (StatusCode::PAYLOAD_TOO_LARGE, "quota-exceeded"),
            Self::TooManyPixels(..) => (StatusCode::UNPROCESSABLE_ENTITY, "too-many-pixels"),
            Self::Unmeasurable => (StatusCode::UNPROCESSABLE_ENTITY, "unmeasurable-picture"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "upload-too-slow"),
            Self::OwnerTooBusy => (StatusCode::TOO_MANY_REQUESTS, "too-many-uploads"),
            Self::TooBusy => (StatusCode::SERVICE_UNAVAILABLE, "too-busy"),
            Self::WrongWiring(_) => (StatusCode::INTERNAL_SERVER_ERROR, "wrong-wiring"),
            Self::Failed(error) => (error.kind().status(), "failed"),
        }
    }

    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        self.kind().0
    }

    pub(super) fn label(&self) -> &'static str {
        self.kind().1
    }

    /// What reading the form failed with.
    pub(in crate::routes) fn of_form(error: Error) -> Self {
        match Self::among(&error) {
            Some(rejection) => rejection,
            None if error.kind() == ErrorKind::TooLarge => Self::TooManyParts,
            None if error.kind() == ErrorKind::InvalidInput => Self::Malformed(Arc::new(error)),
            None => Self::Failed(Arc::new(error)),
        }
    }

    /// The rejection that is somewhere along the chain.
    fn among(error: &Error) -> Option<Self> {
        iter::successors(Some(error as &(dyn StdError + 'static)), |&error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
            .cloned()
    }

    /// An error that a stream ends with, and from which the rejection is made again.
    pub(super) fn into_error(self) -> Error {
        let kind = match self.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
            _ => ErrorKind::InvalidInput,
        };
        Error::new(kind, "the upload was refused").with_source(self)
    }
}

impl From<Error> for UploadRejection {
    fn from(error: Error) -> Self {
        Self::among(&error).unwrap_or_else(|| Self::Failed(Arc::new(error)))
    }
}

impl fmt::Display for UploadRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem().detail)
    }
}

impl StdError for UploadRejection {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Malformed(error) | Self::Failed(error) => Some(&**error),
            _ => None,
        }
    }
}

impl IntoResponse for UploadRejection {
    fn into_response(self) -> Response {
        super::observe::refused(&self);
        self.problem().into_response()
    }
}
