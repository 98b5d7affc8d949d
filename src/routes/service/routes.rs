//! The router of the media protocol and its builder.

use std::{fmt, future::ready, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state, map_request, map_response},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tokio::sync::Semaphore;
use tower_http::csrf::CsrfLayer;

use super::{
    Render, ServiceKeys, ServiceState, UploadLimits,
    authenticate::{Callers, authenticate},
    compatibility::Compatibility,
    error::ServiceError,
    file, lists, media,
    observe::observe,
    upload,
};
use crate::{
    error::{Error, ErrorKind, Result},
    media::make_safe,
    routes::delivery::{ResourcePolicy, redirect_expiry},
    state::MediaState,
    util::drain_body::drain_on_drop,
};

/// The greatest size of a body other than an upload, in bytes.
const MAX_BODY: usize = 4 << 20;

#[doc = include_str!("../../docs/service.md")]
#[must_use = "routes do nothing until `into_router` is called"]
pub struct ServiceRoutes {
    media: MediaState,
    callers: Callers,
    resource_policy: ResourcePolicy,
    compatibility: Compatibility,
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
        Self {
            media,
            callers: Callers { keys, origins: CsrfLayer::new() },
            resource_policy: ResourcePolicy::default(),
            compatibility: Compatibility::default(),
            limits,
            max_uploads: 256,
            metrics: None,
            redirect: None,
        }
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

    /// Lets pages of these origins, such as `https://app.example.org`, use the service without a key, from the
    /// [networks](ServiceKeys::or_networks) that need no key. Default: only pages of the service's own origin may
    /// send uploads, deletes and queries by `POST`.
    ///
    /// With any origin, responses have `Cross-Origin-Resource-Policy: cross-origin`, so that such a page can embed
    /// files with `<img>`. That header cannot name origins, and a browser sends no `Origin` for an `<img>`: pages of
    /// every origin can then embed files. They can show an image and learn its size, but cannot read its bytes.
    ///
    /// A page that reads responses also needs CORS, which the application adds, such as with `CorsLayer` of
    /// tower-http.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if a text is not an origin.
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        for origin in origins {
            let origins = self.callers.origins.add_trusted_origin(origin).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, error.to_string()).with_source(error)
            })?;
            self.callers.origins = origins;
            self.resource_policy = ResourcePolicy::CrossOrigin;
        }
        Ok(self)
    }

    /// Turns on everything that callers of the original service need: [`app_owners`](Self::app_owners),
    /// [`keep_small_formats`](Self::keep_small_formats), [`variant_names`](Self::variant_names), and with the feature
    /// `heic` `heic_as_jpeg`. Default: off.
    ///
    /// See [the table of callers](#callers-of-the-original-service).
    pub fn compatible(self) -> Self {
        let routes = self.app_owners().keep_small_formats().variant_names();
        #[cfg(feature = "heic")]
        let routes = routes.heic_as_jpeg();
        routes
    }

    /// Accepts uploads, and lists of `GET /`, with `app` and without `userId`. The media belongs to one owner per
    /// app: the [`Owner`](crate::Owner) with the app as its subject in the tenant `app`. Default: off, such requests
    /// are 400.
    ///
    /// Every caller can list, and every quota counts, the media of an app together: it is suited to an application's
    /// own pictures, not to those of its users. No `userId` names such an owner, so the media of an app and of a user
    /// are never mixed. The original service instead lists the media of all users of the app.
    pub fn app_owners(mut self) -> Self {
        self.compatibility.app_owners = true;
        self
    }

    /// Delivers `medium` and `large` of an image that is not larger than the variant in the format of the original:
    /// JPEG and HEIC as JPEG, PNG and GIF as PNG, other formats as WebP. Default: off, every variant is a WebP.
    ///
    /// The image is still re-encoded, upright, and without metadata (promises P5 and P6); of an animation it is the
    /// first frame. Such a PNG or JPEG is larger than the WebP, and each of these requests reads the record first.
    pub fn keep_small_formats(mut self) -> Self {
        self.compatibility.keep_small_formats = true;
        self
    }

    /// Adds two names to those of variants: `original`, the same as `GET /{id}/file`, and `small`, at most 400 pixels
    /// on the longest side, in the format that [`keep_small_formats`](Self::keep_small_formats) lists. Default: off,
    /// these names are 404. Any other unknown name remains 404.
    ///
    /// The original service delivers the original for both names, with its metadata.
    pub fn variant_names(mut self) -> Self {
        self.compatibility.variant_names = true;
        self
    }

    /// Delivers HEIC originals as JPEG of the same size, upright and without metadata, because most browsers cannot
    /// show HEIC. `GET /{id}/file?original=1` delivers the HEIC. Default: off.
    ///
    /// A HEIC that cannot be decoded, or exceeds the backend's [`ImageLimits`](crate::backend::ImageLimits), is 422.
    /// Type, size, name and hash in the record remain those of the HEIC. Each request reads the record first, and
    /// the first request for a file waits until it is converted.
    #[cfg(feature = "heic")]
    pub fn heic_as_jpeg(mut self) -> Self {
        self.compatibility.heic_as_jpeg = true;
        self
    }

    /// Builds the router, for a router of any state.
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let authenticated = from_fn_with_state(Arc::new(self.callers), authenticate);
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
            .layer(authenticated.clone());
        let mut routes = Router::new()
            .nest("/api/v1/media", protocol)
            .route("/health", get(media::health))
            .route("/ready", get(media::ready));
        if self.metrics.is_some() {
            routes = routes.route("/metrics", get(media::metrics).layer(authenticated));
        }
        let service = ServiceState {
            media: self.media,
            limits: self.limits,
            uploads: Semaphore::new(self.max_uploads),
            metrics: self.metrics,
            compatibility: self.compatibility,
            redirect: self.redirect,
        };
        let policy = self.resource_policy;
        routes
            .layer(map_response(move |response| ready(with_safe_headers(response, policy))))
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
            .field("callers", &self.callers)
            .field("resource_policy", &self.resource_policy)
            .field("compatibility", &self.compatibility)
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
fn with_safe_headers(mut response: Response, policy: ResourcePolicy) -> Response {
    make_safe(response.headers_mut());
    policy.insert_into(response.headers_mut());
    response
}
