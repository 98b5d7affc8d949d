//! The upload route and its builder.

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::map_request,
    response::{IntoResponse as _, Response},
    routing::post,
};

use super::{UploadPolicy, UploadRejection, Uploads, observe, state::UploadState};
use crate::{
    error::Result,
    extract::{OwnerSource, Refusal},
    media::{Media, OwnerView, make_safe},
    owner::{InvalidOwner, Owner},
    routes::spooled_file::SpooledFile,
    state::MediaState,
    util::drain_body::drain_on_drop,
};

/// A `POST` route that stores the files of a multipart form for the authenticated owner. The response is 201
/// and the owner's view of the record, or a list of them if the policy accepts several files.
///
/// # Default
///
/// The owner is the [`Owner`] in the request's extensions. No quota is set.
///
/// See the [module docs](crate::routes#uploads) for the responses.
///
/// ```
/// use tower_media::{routes::{UploadPolicy, UploadRoutes}, MediaState};
///
/// let media = MediaState::in_memory();
/// let policy = UploadPolicy::images().scope("me");
/// let app: axum::Router = UploadRoutes::new(media, "/me-images", policy).quota(1 << 30).into_router();
/// ```
#[must_use = "routes do nothing until `into_router` is called"]
pub struct UploadRoutes<S = ()> {
    path: String,
    state: UploadState<S>,
}

impl UploadRoutes {
    /// Creates the route with the defaults.
    pub fn new(media: MediaState, path: impl Into<String>, policy: UploadPolicy) -> Self {
        Self::new_with_state(media, path, policy, ())
    }
}

impl<S> UploadRoutes<S> {
    /// Creates the route with the defaults, and the state for the extractor of
    /// [`owner_from`](Self::owner_from).
    pub fn new_with_state(
        media: MediaState,
        path: impl Into<String>,
        policy: UploadPolicy,
        state: S,
    ) -> Self {
        let owner = OwnerSource::Extension;
        let state = UploadState {
            media,
            policy,
            quota: None,
            all_or_none: false,
            owner,
            state,
            #[cfg(feature = "tus")]
            partial_uploads: None,
        };
        Self { path: path.into(), state }
    }

    /// Sets the quota of an owner in bytes, compared with [`MediaState::stats`] before each file. Concurrent
    /// uploads can exceed it together, at most by the files that one owner may send at once.
    pub fn quota(mut self, bytes: u64) -> Self {
        self.state.quota = Some(bytes);
        self
    }

    /// Stores all files of a form or none: a file is written to the system's temporary folder, and stored once the
    /// last file has been accepted. If the backend fails in between, the files before that stay stored; sending
    /// the form again is right, because equal bytes of an owner are one media item. Default: each file is stored
    /// while the form arrives, and those before a refused one stay.
    pub fn all_or_none(mut self) -> Self {
        self.state.all_or_none = true;
        self
    }

    /// Takes the owner from the extractor `X`, as does
    /// [`VerifyMediaLayer::owner_from`](crate::VerifyMediaLayer::owner_from).
    pub fn owner_from<X>(
        mut self,
        owner: impl Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync + 'static,
    ) -> Self
    where
        X: FromRequestParts<S> + 'static,
        S: Sync,
    {
        self.state.owner = OwnerSource::from_extractor(owner);
        self
    }

    /// Adds resumable uploads by the [tus protocol](https://tus.io) 1.0 below the path, at `/tus`, under the same
    /// policy, owner and quota: `POST` creates an upload, and `HEAD`, `PATCH` and `DELETE` of its `Location`
    /// continue or end it. The response to the last `PATCH` has the id of the stored media in `Media-Id` and its
    /// URL in `Content-Location`. See the [module docs](crate::routes#resumable-uploads).
    #[cfg(feature = "tus")]
    pub fn tus(mut self, partial_uploads: super::PartialUploads) -> Self {
        self.state.partial_uploads = Some(partial_uploads);
        self
    }

    /// Builds the router, for a router of any state.
    pub fn into_router<T>(self) -> Router<T>
    where
        T: Clone + Send + Sync + 'static,
        S: Send + Sync + 'static,
    {
        // The layer also covers 405 (promise G18).
        let drained = map_request(async |request| drain_on_drop(request));
        let router = Router::new().route(&self.path, post(upload::<S>));
        #[cfg(feature = "tus")]
        let router = match self.state.partial_uploads {
            Some(_) => router.merge(super::tus::routes(&self.path)),
            None => router,
        };
        router.layer(drained).with_state(Arc::new(self.state))
    }
}

impl<S> fmt::Debug for UploadRoutes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadRoutes")
            .field("path", &self.path)
            .field("policy", &self.state.policy)
            .field("quota", &self.state.quota)
            .field("all_or_none", &self.state.all_or_none)
            .field("owner", &self.state.owner)
            .finish_non_exhaustive()
    }
}

impl<S> UploadState<S> {
    async fn store(&self, mut uploads: Uploads) -> Result<Vec<Media>, UploadRejection> {
        let (mut stored, mut spooled, mut spooled_bytes) = (Vec::new(), Vec::new(), 0);
        loop {
            if let Some(quota) = self.quota {
                let used = self.media.stats(uploads.owner()).await?.bytes;
                uploads.set_quota_left(quota.saturating_sub(used).saturating_sub(spooled_bytes));
            }
            let Some(upload) = uploads.next().await? else { break };
            if self.all_or_none {
                let (upload, size) = SpooledFile::spool(upload, std::env::temp_dir()).await?;
                spooled.push(upload);
                spooled_bytes += size;
            } else {
                stored.push(self.media.upload(uploads.owner(), upload).await?);
                observe::stored();
            }
        }
        for upload in spooled {
            stored.push(self.media.upload(uploads.owner(), upload).await?);
            observe::stored();
        }
        if stored.is_empty() { Err(UploadRejection::NoFile) } else { Ok(stored) }
    }

    fn created(&self, stored: &[Media]) -> Response {
        let mut response = match stored {
            [media] if self.policy.max_files == 1 => {
                let mut response = media.for_owner().into_response();
                if let Ok(url) = HeaderValue::try_from(&media.urls.original) {
                    response.headers_mut().insert(header::LOCATION, url);
                }
                response
            }
            records => Json(records.iter().map(Media::for_owner).collect::<Vec<OwnerView<'_>>>())
                .into_response(),
        };
        *response.status_mut() = StatusCode::CREATED;
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Stores an upload. The owner is required before the body is polled (promise G14).
async fn upload<S>(State(state): State<Arc<UploadState<S>>>, request: Request) -> Response
where
    S: Send + Sync + 'static,
{
    let (mut parts, body) = request.into_parts();
    let mut response = match state.owner.owner(&mut parts, &state.state).await {
        Ok(owner) => {
            let request = Request::from_parts(parts, body);
            let stored = async { state.store(state.policy.accept(owner, request).await?).await };
            match stored.await {
                Ok(stored) => state.created(&stored),
                Err(rejection) => rejection.into_response(),
            }
        }
        Err(Refusal::Guard(_)) => UploadRejection::MissingOwner.into_response(),
        Err(Refusal::Extractor(response)) => response,
    };
    make_safe(response.headers_mut());
    response
}
