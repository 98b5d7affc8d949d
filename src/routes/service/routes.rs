//! The router of the media protocol and its builder.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state, map_request, map_response},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tokio::sync::Semaphore;

use super::{
    Render, ServiceKeys, ServiceState, UploadLimits, error::ServiceError, file, keys::require_key,
    lists, media, observe::observe, upload,
};
use crate::{
    media::make_safe, routes::delivery::redirect_expiry, state::MediaState,
    util::drain_body::drain_on_drop,
};

/// The greatest size of a body other than an upload, in bytes.
const MAX_BODY: usize = 4 << 20;

#[doc = include_str!("../../docs/service.md")]
#[must_use = "routes do nothing until `into_router` is called"]
pub struct ServiceRoutes {
    media: MediaState,
    keys: ServiceKeys,
    limits: UploadLimits,
    max_uploads: usize,
    metrics: Option<Box<Render>>,
    redirect: Option<Duration>,
}

impl ServiceRoutes {
    /// Creates the routes with the defaults.
    pub fn new(media: MediaState, keys: ServiceKeys) -> Self {
        let limits = UploadLimits {
            max_bytes: 100 << 20,
            idle_timeout: Duration::from_secs(30),
            min_rate: 1 << 10,
            spool: std::env::temp_dir(),
        };
        Self { media, keys, limits, max_uploads: 256, metrics: None, redirect: None }
    }

    /// Sets the greatest size of a file in bytes. Default: 100 MiB. The backend may have its own limit.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_bytes = bytes;
        self
    }

    /// Sets the greatest number of concurrent uploads. Default: 256. Beyond it the response is 503
    /// (promise R7). Each upload uses up to 256 KiB of memory.
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.max_uploads = uploads;
        self
    }

    /// Sets the idle timeout of an upload. Default: 30 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle_timeout = timeout;
        self
    }

    /// Sets the minimum rate of an upload in bytes per second, averaged over 30 seconds of waiting for the
    /// client; 0 turns it off. A slower upload is ended with 408 (promise P17). Default: 1 KiB/s.
    pub fn min_rate(mut self, bytes_per_second: u32) -> Self {
        self.limits.min_rate = bytes_per_second;
        self
    }

    /// Sets the folder for large files while their form is read, because the owner may come after the file.
    /// Default: the system's temporary folder. The files have no names, so a crash leaves none behind.
    pub fn spool_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.limits.spool = folder.into();
        self
    }

    /// Redirects to presigned URLs of the object store, as
    /// [`DeliveryRoutes::presigned_redirects`](crate::routes::DeliveryRoutes::presigned_redirects) does.
    /// Default: off.
    ///
    /// Callers must follow redirects, without sending the service key along. [`Remote`](crate::Remote) does not.
    pub fn presigned_redirects(mut self, expires_in: Duration) -> Self {
        self.redirect = Some(redirect_expiry(expires_in));
        self
    }

    /// Adds the route `/metrics`, which returns the function's result: metrics in Prometheus' text format,
    /// such as those of an exporter that the application has installed. With the feature `metrics` they
    /// include the requests to these routes.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Box::new(render));
        self
    }

    /// Builds the router, for a router of any state.
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let keyed = from_fn_with_state(self.keys, require_key);
        let protocol = Router::new()
            .route("/", get(lists::list))
            .route("/upload", post(upload::upload).layer(DefaultBodyLimit::disable()))
            .route("/owned", post(lists::owned))
            .route("/stats", get(lists::stats))
            .route("/list/all", get(lists::list_all))
            .route("/hash/{sha256}", get(media::by_hash))
            .route("/{id}", get(media::get).delete(media::remove))
            .route("/{id}/file", get(file::original))
            .route("/{id}/file/{variant}", get(file::variant))
            .route("/{id}/transform", get(file::transform))
            .fallback(no_route)
            .method_not_allowed_fallback(no_method)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(keyed.clone());
        let mut routes = Router::new()
            .nest("/api/v1/media", protocol)
            .route("/health", get(media::health))
            .route("/ready", get(media::ready));
        if self.metrics.is_some() {
            routes = routes.route("/metrics", get(media::metrics).layer(keyed));
        }
        let service = ServiceState {
            media: self.media,
            limits: self.limits,
            uploads: Semaphore::new(self.max_uploads),
            metrics: self.metrics,
            redirect: self.redirect,
        };
        routes
            .layer(map_response(safe))
            .layer(from_fn(observe))
            // A refusal reaches a client that is still sending (promise G18).
            .layer(map_request(async |request| drain_on_drop(request)))
            .with_state(Arc::new(service))
    }
}

impl MediaState {
    /// Returns the routes of the media protocol for trusted callers, with the defaults of
    /// [`ServiceRoutes`](crate::routes::ServiceRoutes).
    pub fn service_routes<S: Clone + Send + Sync + 'static>(&self, keys: ServiceKeys) -> Router<S> {
        ServiceRoutes::new(self.clone(), keys).into_router()
    }
}

impl fmt::Debug for ServiceRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRoutes")
            .field("media", &self.media)
            .field("keys", &self.keys)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

async fn no_route() -> Response {
    ServiceError::not_found("Not found").into_response()
}

async fn no_method() -> Response {
    ServiceError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed").into_response()
}

/// Sets the headers of every response (promise P8).
async fn safe(mut response: Response) -> Response {
    make_safe(response.headers_mut());
    response
}
