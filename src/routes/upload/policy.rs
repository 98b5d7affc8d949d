//! The policy of an upload route.

use std::{fmt, sync::Arc, time::Duration};

use axum::{Extension, body::Body};
use tower_http::csrf::CsrfLayer;

use super::{
    UploadRejection,
    concurrency::{ConcurrencyLimit, ConcurrencyPermit},
    limited_body::{BodyLimits, limited_body},
};
use crate::{
    error::{Error, ErrorKind, Result},
    owner::{InvalidScope, Owner, Scope},
};

/// The greatest size of a form without its files in bytes: text fields, heads and boundaries.
const MAX_FORM_OVERHEAD: u64 = 1 << 20;

/// The file types, limits and origins that an upload route accepts. Every limit holds while the request is
/// read, whatever length it declares (promise P10).
///
/// # Default
///
/// One file of at most 10 MiB, with images of any dimensions; an idle timeout of 30 seconds, a total timeout
/// of 10 minutes and a minimum rate of 1 KiB/s; 64 concurrent uploads, 8 of each owner; pages of the same
/// origin, and clients other than browsers. A scope is required: [`scope`](Self::scope).
///
/// Clones share their concurrency limits.
///
/// ```
/// use tower_media::{routes::UploadPolicy, MediaState};
///
/// let media = MediaState::in_memory();
/// let policy = UploadPolicy::images().scope("me").max_bytes(20 << 20).max_files(4);
/// let app: axum::Router = media.upload_routes("/me-images", policy);
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until it is given to routes or a layer"]
pub struct UploadPolicy {
    pub(super) types: Arc<[String]>,
    scope: Option<Result<Scope, InvalidScope>>,
    pub(super) max_bytes: u64,
    pub(super) max_files: usize,
    pub(super) max_dimensions: Option<(u32, u32)>,
    idle_timeout: Duration,
    total_timeout: Duration,
    min_rate: u32,
    max_concurrent: usize,
    max_concurrent_per_owner: usize,
    pub(super) origins: CsrfLayer,
    concurrency: ConcurrencyLimit,
}

impl UploadPolicy {
    /// Accepts the image formats that every browser shows: JPEG, PNG, GIF and WebP.
    pub fn images() -> Self {
        Self::of_types(["image/jpeg", "image/png", "image/gif", "image/webp"])
    }

    /// Accepts files of these MIME types. The magic bytes of a file decide its type. The type that the client
    /// declares counts only without magic bytes, and never for an image (promise P4). The content of a file
    /// without magic bytes, such as `text/html` or `text/css`, is therefore arbitrary: it is
    /// [never delivered](crate::routes#delivery) as a type that a browser runs (promise P8).
    pub fn of_types<I: IntoIterator<Item: Into<String>>>(types: I) -> Self {
        Self {
            types: types.into_iter().map(Into::into).collect(),
            scope: None,
            max_bytes: 10 << 20,
            max_files: 1,
            max_dimensions: None,
            idle_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(600),
            min_rate: 1 << 10,
            max_concurrent: 64,
            max_concurrent_per_owner: 8,
            origins: CsrfLayer::new(),
            concurrency: ConcurrencyLimit::default(),
        }
    }

    /// Sets the scope in which the owner owns the media. The client cannot change it (promise G9). Without a
    /// scope, or with an invalid one, every upload is refused with 500.
    pub fn scope<T>(mut self, scope: T) -> Self
    where
        T: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.scope = Some(scope.try_into().map_err(Into::into));
        self
    }

    /// Sets the greatest size of a file in bytes.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the greatest number of files in a form. With more than one, the response is always a list.
    pub fn max_files(mut self, files: usize) -> Self {
        self.max_files = files;
        self
    }

    /// Sets the greatest width and height of an image in pixels, before its orientation is applied. The
    /// dimensions are read from the first 256 KiB, without decoding; an image without them there is refused.
    pub fn max_dimensions(mut self, width: u32, height: u32) -> Self {
        self.max_dimensions = Some((width, height));
        self
    }

    /// Sets the idle timeout between two chunks, and the total timeout of a request.
    pub fn time_limits(mut self, idle: Duration, total: Duration) -> Self {
        (self.idle_timeout, self.total_timeout) = (idle, total);
        self
    }

    /// Sets the minimum rate of an upload in bytes per second, averaged over 30 seconds of waiting for the
    /// client; 0 turns it off. A slower upload is ended with 408, so that it does not hold a permit of
    /// [`max_concurrent`](Self::max_concurrent) for long (promise P17).
    pub fn min_rate(mut self, bytes_per_second: u32) -> Self {
        self.min_rate = bytes_per_second;
        self
    }

    /// Sets the greatest number of concurrent uploads: in total, beyond which the response is 503, and of each
    /// owner, beyond which it is 429 (promise R7).
    pub fn max_concurrent(mut self, total: usize, per_owner: usize) -> Self {
        (self.max_concurrent, self.max_concurrent_per_owner) = (total, per_owner);
        self
    }

    /// Allows uploads from pages of these other origins, such as `https://app.example.org`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if a text is not an origin.
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

    /// Returns the layer that lets handlers extract [`Uploads`](super::Uploads).
    pub fn layer(&self) -> Extension<Self> {
        Extension(self.clone())
    }

    /// Applies the time limits and a limit of bytes to the body of a request.
    pub(super) fn limited_body(&self, body: Body, max_bytes: u64) -> Body {
        let limits = BodyLimits {
            max_bytes,
            too_large: UploadRejection::TooLarge(self.max_bytes),
            idle_timeout: self.idle_timeout,
            total_timeout: self.total_timeout,
            min_rate: self.min_rate,
        };
        limited_body(body, limits)
    }

    /// Returns the scope, or the rejection of a policy without a valid one.
    pub(super) fn valid_scope(&self) -> Result<&Scope, UploadRejection> {
        match &self.scope {
            Some(Ok(scope)) => Ok(scope),
            _ => Err(UploadRejection::WrongWiring(
                "The `UploadPolicy` has no valid scope. Set one with `.scope(..)`.",
            )),
        }
    }

    /// Takes a permit of the concurrency limit.
    pub(super) fn permit(&self, owner: &Owner) -> Result<ConcurrencyPermit, UploadRejection> {
        self.concurrency.acquire(owner, self.max_concurrent, self.max_concurrent_per_owner)
    }

    /// The greatest size of a form in bytes.
    pub(super) fn max_form_bytes(&self) -> u64 {
        self.max_bytes.saturating_mul(self.max_files as u64).saturating_add(MAX_FORM_OVERHEAD)
    }
}

impl fmt::Debug for UploadPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadPolicy")
            .field("types", &self.types)
            .field("scope", &self.scope)
            .field("max_bytes", &self.max_bytes)
            .field("max_files", &self.max_files)
            .field("max_dimensions", &self.max_dimensions)
            .field("idle_timeout", &self.idle_timeout)
            .field("total_timeout", &self.total_timeout)
            .field("min_rate", &self.min_rate)
            .field("max_concurrent", &(self.max_concurrent, self.max_concurrent_per_owner))
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
