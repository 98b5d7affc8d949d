//! What an upload route takes.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use tower_http::csrf::CsrfLayer;

use super::{
    UploadRejection, Uploads,
    concurrency::Admission,
    limited_body::{Pace, announced, paced},
    origin,
};
use crate::{
    error::{Error, ErrorKind, Result},
    extract::reader,
    owner::{InvalidScope, Owner, Scope},
};

/// What a form may have beside its files: text fields, heads and boundaries.
const BESIDE_FILES: u64 = 1 << 20;

/// What an upload route takes, and from whom. Every limit holds while the request is read, whatever it
/// announces (promise P10).
///
/// # Default
///
/// One file of at most 10 MiB, with pictures of any dimensions; 30 seconds between two pieces and 10
/// minutes for a request; 64 uploads at once, 8 of each owner; from pages of the same origin, and from
/// clients that are no browsers. There is no scope: one has to be set.
///
/// Clones are the same policy: their uploads count together.
///
/// ```
/// use tower_media::{routes::UploadPolicy, MediaState};
///
/// let media = MediaState::in_memory();
/// let policy = UploadPolicy::images().scope("me").max_bytes(20 << 20).max_files(4);
/// let app: axum::Router = media.upload_routes("/me-images", policy);
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until routes or a layer are made with it"]
pub struct UploadPolicy {
    pub(super) types: Arc<[String]>,
    pub(super) scope: Option<Result<Scope, InvalidScope>>,
    pub(super) max_bytes: u64,
    pub(super) max_files: usize,
    pub(super) max_dimensions: Option<(u32, u32)>,
    idle: Duration,
    whole: Duration,
    at_once: usize,
    at_once_each: usize,
    origins: CsrfLayer,
    admission: Admission,
}

impl UploadPolicy {
    /// Takes pictures that browsers can show: JPEG, PNG, GIF and WebP.
    pub fn images() -> Self {
        Self::of_types(["image/jpeg", "image/png", "image/gif", "image/webp"])
    }

    /// Takes files of these MIME types. The first bytes of a file decide which it is; only where they say
    /// nothing, and never for a picture, the client's word does (promise P4). So there may be anything in
    /// a file of a type that its bytes do not show, such as `text/html` or `text/css`: it is
    /// [never delivered](crate::routes#delivery) under a type that a browser runs (promise P8).
    pub fn of_types<I: IntoIterator<Item: Into<String>>>(types: I) -> Self {
        Self {
            types: types.into_iter().map(Into::into).collect(),
            scope: None,
            max_bytes: 10 << 20,
            max_files: 1,
            max_dimensions: None,
            idle: Duration::from_secs(30),
            whole: Duration::from_secs(600),
            at_once: 64,
            at_once_each: 8,
            origins: CsrfLayer::new(),
            admission: Admission::default(),
        }
    }

    /// Sets the scope in which the owner will own the media. Nothing that the client sends changes it
    /// (promise G9). Without one, and with a text that is none, the route answers 500 and says so.
    pub fn scope<T>(mut self, scope: T) -> Self
    where
        T: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.scope = Some(scope.try_into().map_err(Into::into));
        self
    }

    /// Sets how many bytes a file may have.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many files a form may have. With more than one the routes answer with a list, however
    /// many there are.
    pub fn max_files(mut self, files: usize) -> Self {
        self.max_files = files;
        self
    }

    /// Sets how many pixels wide and high a picture may be, as it lies in the file. They are read off its
    /// first 256 KiB, without decoding it; a picture that does not tell them there is refused.
    pub fn max_dimensions(mut self, width: u32, height: u32) -> Self {
        self.max_dimensions = Some((width, height));
        self
    }

    /// Sets for how long a client may send nothing, and how long the whole request may take.
    pub fn time_limits(mut self, idle: Duration, whole: Duration) -> Self {
        (self.idle, self.whole) = (idle, whole);
        self
    }

    /// Sets how many uploads are taken at once: in all, beyond which it is 503, and of each owner, beyond
    /// which it is 429 (promise R7).
    pub fn at_once(mut self, all: usize, of_each_owner: usize) -> Self {
        (self.at_once, self.at_once_each) = (all, of_each_owner);
        self
    }

    /// Lets pages of these other origins send uploads, each written like `https://app.example.org`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for what is no origin.
    pub fn allowed_origins<I: IntoIterator<Item: AsRef<str>>>(
        mut self,
        origins: I,
    ) -> Result<Self> {
        for origin in origins {
            self.origins = self.origins.add_trusted_origin(origin).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, error.to_string()).with_source(error)
            })?;
        }
        Ok(self)
    }

    /// Returns the layer that lets handlers below it take [`Uploads`] as an argument.
    pub fn layer(&self) -> Extension<Self> {
        Extension(self.clone())
    }

    /// Begins to read a request as uploads of this owner. Not a byte of its body has been read when this
    /// refuses.
    ///
    /// For an owner that is not in the request's extensions; where it is, a handler takes [`Uploads`].
    ///
    /// # Errors
    ///
    /// [`UploadRejection`] by what the head of the request says, and if there are too many uploads.
    pub async fn accept(&self, owner: Owner, request: Request) -> Result<Uploads, UploadRejection> {
        let Some(Ok(scope)) = &self.scope else {
            let what = "`UploadPolicy` has no valid scope: set one with `.scope(..)`.";
            return Err(UploadRejection::WrongWiring(what));
        };
        let scope = scope.clone();
        let (parts, body) = request.into_parts();
        origin::check(&self.origins, &parts).await?;
        if !is_form(&parts.headers) {
            return Err(UploadRejection::NotAForm);
        }
        let place = self.admission.admit(&owner, self.at_once, self.at_once_each)?;
        // From here on a refusal lets the client send for a moment, so that it sees the answer.
        let body = self.paced(body);
        if announced(&parts.headers).is_some_and(|length| length > self.max_body()) {
            return Err(UploadRejection::TooLarge(self.max_bytes));
        }
        let reader = reader(&parts.headers, body)
            .map_err(|error| UploadRejection::Malformed(Arc::new(error)))?;
        Ok(Uploads::new(self.clone(), owner, scope, reader, place))
    }

    fn paced(&self, body: Body) -> Body {
        let otherwise = UploadRejection::TooLarge(self.max_bytes);
        let pace = Pace { bytes: self.max_body(), otherwise, idle: self.idle, whole: self.whole };
        paced(body, pace)
    }

    /// The most bytes of a body.
    fn max_body(&self) -> u64 {
        self.max_bytes.saturating_mul(self.max_files as u64).saturating_add(BESIDE_FILES)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type
        .and_then(|text| text.parse::<mime::Mime>().ok())
        .is_some_and(|mime| mime.essence_str() == mime::MULTIPART_FORM_DATA.essence_str())
}

impl fmt::Debug for UploadPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadPolicy")
            .field("types", &self.types)
            .field("scope", &self.scope)
            .field("max_bytes", &self.max_bytes)
            .field("max_files", &self.max_files)
            .field("max_dimensions", &self.max_dimensions)
            .field("idle", &self.idle)
            .field("whole", &self.whole)
            .field("at_once", &(self.at_once, self.at_once_each))
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
