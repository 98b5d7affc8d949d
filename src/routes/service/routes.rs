//! The routes, and what can be set on them.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tokio::sync::Semaphore;

use super::{
    Limits, Render, Service, ServiceKeys, file, keys::require_key, lists, media, observe::observe,
    refusal::Refusal, upload,
};
use crate::{media::make_safe, state::MediaState};

/// The most bytes of a body that is no upload.
const MAX_BODY: usize = 4 << 20;

#[doc = include_str!("../../docs/service.md")]
#[must_use = "the routes are made by `into_router`"]
pub struct ServiceRoutes {
    media: MediaState,
    keys: ServiceKeys,
    limits: Limits,
    max_uploads: usize,
    metrics: Option<Box<Render>>,
}

impl ServiceRoutes {
    /// Begins with the defaults.
    pub fn new(media: MediaState, keys: ServiceKeys) -> Self {
        let limits = Limits {
            max_bytes: 100 << 20,
            idle: Duration::from_secs(30),
            spool: std::env::temp_dir(),
        };
        Self { media, keys, limits, max_uploads: 256, metrics: None }
    }

    /// Sets how many bytes a file may have: at first 100 MiB. The backend may have a bound of its own.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_bytes = bytes;
        self
    }

    /// Sets how many uploads are taken at once: at first 256. Beyond it the answer is 503 (promise R7).
    /// Each takes up to 256 KiB of memory.
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.max_uploads = uploads;
        self
    }

    /// Sets how long nothing may come of an upload: at first 30 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle = timeout;
        self
    }

    /// Sets the folder in which large files wait until their form has been read, for whose they are may
    /// stand at its end: at first the system's for temporary files. They have no names there, so not even
    /// a crash leaves them behind.
    pub fn spool_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.limits.spool = folder.into();
        self
    }

    /// Serves under `/metrics` what the function returns: metrics in Prometheus' text format, such as
    /// those of an exporter that the application has installed. With the feature `metrics` the requests to
    /// these routes are among them.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Box::new(render));
        self
    }

    /// Makes the routes, for a router of any state.
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
        let service = Service {
            media: self.media,
            limits: self.limits,
            uploads: Semaphore::new(self.max_uploads),
            metrics: self.metrics,
        };
        routes.layer(map_response(safe)).layer(from_fn(observe)).with_state(Arc::new(service))
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
    Refusal::not_found("Not found").into_response()
}

async fn no_method() -> Response {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed").into_response()
}

/// What every answer carries (promise P8).
async fn safe(mut response: Response) -> Response {
    make_safe(response.headers_mut());
    response
}
