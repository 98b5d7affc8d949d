//! The reasons to refuse an upload, as responses that a front end can show.

use std::{error::Error as StdError, fmt, iter, sync::Arc};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::observe;
use crate::{
    error::{Error, ErrorKind},
    problem::Problem,
};

/// The reason why an upload was refused. Its response is `application/problem+json`.
///
/// A stream of [`Uploads`](super::Uploads) fails with an [`Error`] that carries the reason; [`From`] restores
/// it, and turns every other error into [`Failed`](Self::Failed).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum UploadRejection {
    /// The request has no authenticated owner: 401.
    MissingOwner,
    /// The request was sent by a page of another origin: 403.
    CrossSite,
    /// The `Origin` of the page is not the `Host` of the request, by an HTTP/1.1 browser that sends no
    /// `Sec-Fetch-Site`: 403. Behind a proxy that changes `Host`, so is every page of the application.
    OtherHost {
        /// The origin of the page.
        origin: String,
        /// The host that the server sees.
        host: String,
    },
    /// The content type is not `multipart/form-data`: 415.
    NotAForm,
    /// The form is malformed, has no boundary, or ends early: 400.
    Malformed(Arc<Error>),
    /// The form has no file: 422.
    NoFile,
    /// The form has more files than this limit: 422.
    TooManyFiles(usize),
    /// The form has too many parts, too much text, or a part with too large a head: 413.
    TooManyParts,
    /// A file has none of these MIME types: 415.
    UnsupportedType(Arc<[String]>),
    /// A file is larger than this limit in bytes, or the request is larger than all its files may be: 413.
    TooLarge(u64),
    /// A file exceeds the rest of its owner's quota: 413.
    QuotaExceeded,
    /// An image is wider or higher than this limit in pixels: 422.
    TooManyPixels(u32, u32),
    /// The dimensions of an image are not within its first 256 KiB: 422.
    Unmeasurable,
    /// The request exceeded a time limit, or was slower than the minimum rate: 408.
    TooSlow,
    /// The owner has reached the limit of concurrent uploads: 429.
    OwnerTooBusy,
    /// The route has reached its limit of concurrent uploads: 503.
    TooBusy,
    /// The route is misconfigured: 500.
    WrongWiring(&'static str),
    /// The backend failed: the status of the error's kind.
    Failed(Arc<Error>),
}

impl UploadRejection {
    /// Returns the problem that the response renders.
    pub fn problem(&self) -> Problem {
        let (status, slug) = self.kind();
        let detail = match self {
            Self::MissingOwner => "Sign in to upload.".into(),
            Self::Failed(error) => return error.problem(),
            Self::CrossSite => "Uploads from pages of other sites are not allowed.".into(),
            Self::OtherHost { origin, host } => format!(
                "The page is of {origin}, and the request is for {host}. If a proxy changes the header \
                 `Host`, let it pass the header on, or allow the origin."
            ),
            Self::NotAForm => "Send files as multipart/form-data.".into(),
            Self::Malformed(_) => "The form is malformed or incomplete.".into(),
            Self::NoFile => "The form has no file.".into(),
            Self::TooManyFiles(limit) => format!("The form has more than {limit} files."),
            Self::TooManyParts => "The form has too many fields, or too much text in them.".into(),
            Self::UnsupportedType(types) => {
                format!("The content of the file is not one of the types {}.", types.join(", "))
            }
            Self::TooLarge(limit) => format!("The file is larger than {limit} bytes."),
            Self::QuotaExceeded => {
                "The file exceeds the storage quota. Delete other files first.".into()
            }
            Self::TooManyPixels(width, height) => {
                format!("The image is larger than {width} × {height} pixels.")
            }
            Self::Unmeasurable => "The dimensions of the image could not be read.".into(),
            Self::TooSlow => "The upload was too slow. Try again.".into(),
            Self::OwnerTooBusy => {
                "You have too many uploads at once. Wait until one has finished.".into()
            }
            Self::TooBusy => {
                "The server has too many uploads at once. Try again in a moment.".into()
            }
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

    /// Returns the status, and a name for problem types, logs and metrics from a bounded set (promise G16).
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingOwner => (StatusCode::UNAUTHORIZED, "not-signed-in"),
            Self::CrossSite | Self::OtherHost { .. } => {
                (StatusCode::FORBIDDEN, "cross-site-upload")
            }
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

    /// Converts an error of reading a form.
    pub(in crate::routes) fn from_form_error(error: Error) -> Self {
        match Self::in_chain(&error) {
            Some(rejection) => rejection,
            None if error.kind() == ErrorKind::TooLarge => Self::TooManyParts,
            None if error.kind() == ErrorKind::InvalidInput => Self::Malformed(Arc::new(error)),
            None => Self::Failed(Arc::new(error)),
        }
    }

    /// Returns the rejection in the error's source chain.
    pub(super) fn in_chain(error: &Error) -> Option<Self> {
        iter::successors(Some(error as &(dyn StdError + 'static)), |&error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
            .cloned()
    }

    /// Converts the rejection into an error for a stream, from which [`From`] restores it.
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
        Self::in_chain(&error).unwrap_or_else(|| Self::Failed(Arc::new(error)))
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
        observe::refused(self.label(), self.status().is_server_error(), &self);
        self.problem().into_response()
    }
}
