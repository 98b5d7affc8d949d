//! The route, and what can be set on it.

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};

use super::{UploadPolicy, UploadRejection, Uploads, observe};
use crate::{
    error::Result,
    extract::{OwnerSource, Refusal},
    media::{Media, OwnerView, make_safe},
    owner::{InvalidOwner, Owner},
    state::MediaState,
};

/// A route that stores the files of a multipart form for whoever is signed in: `POST`, answered with 201
/// and the record in its owner's view, or with a list of them where the policy takes several files.
///
/// # Default
///
/// The owner is the [`Owner`] in the request's extensions, and may store without end.
///
/// See the [module docs](crate::routes) for what is answered.
///
/// ```
/// use tower_media::{routes::{UploadPolicy, UploadRoutes}, MediaState};
///
/// let media = MediaState::in_memory();
/// let policy = UploadPolicy::images().scope("me");
/// let app: axum::Router = UploadRoutes::new(media, "/me-images", policy).quota(1 << 30).into_router();
/// ```
#[must_use = "the route is made by `into_router`"]
pub struct UploadRoutes<S = ()> {
    path: String,
    intake: Intake<S>,
}

struct Intake<S> {
    media: MediaState,
    policy: UploadPolicy,
    quota: Option<u64>,
    owner: OwnerSource<S>,
    state: S,
}

impl UploadRoutes {
    /// Begins with the defaults.
    pub fn new(media: MediaState, path: impl Into<String>, policy: UploadPolicy) -> Self {
        Self::new_with_state(media, path, policy, ())
    }
}

impl<S> UploadRoutes<S> {
    /// Begins with the defaults, and with the state that the extractor of
    /// [`owner_from`](Self::owner_from) needs.
    pub fn new_with_state(
        media: MediaState,
        path: impl Into<String>,
        policy: UploadPolicy,
        state: S,
    ) -> Self {
        let owner = OwnerSource::Extension;
        Self { path: path.into(), intake: Intake { media, policy, quota: None, owner, state } }
    }

    /// Sets how many bytes an owner may store in all, by [`MediaState::stats`], which is asked before each
    /// file. Uploads that are under way at the same time can exceed it together, at most by the files that
    /// the policy lets an owner send at once.
    pub fn quota(mut self, bytes: u64) -> Self {
        self.intake.quota = Some(bytes);
        self
    }

    /// Takes the owner from the extractor `X`, like
    /// [`VerifyMediaLayer::owner_from`](crate::VerifyMediaLayer::owner_from).
    pub fn owner_from<X>(
        mut self,
        owner: impl Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync + 'static,
    ) -> Self
    where
        X: FromRequestParts<S> + 'static,
        S: Sync,
    {
        self.intake.owner = OwnerSource::from_extractor(owner);
        self
    }

    /// Makes the route, for a router of any state.
    pub fn into_router<T>(self) -> Router<T>
    where
        T: Clone + Send + Sync + 'static,
        S: Send + Sync + 'static,
    {
        Router::new().route(&self.path, post(take::<S>)).with_state(Arc::new(self.intake))
    }
}

impl<S> fmt::Debug for UploadRoutes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadRoutes")
            .field("path", &self.path)
            .field("policy", &self.intake.policy)
            .field("quota", &self.intake.quota)
            .field("owner", &self.intake.owner)
            .finish_non_exhaustive()
    }
}

impl<S> Intake<S> {
    async fn store(&self, mut uploads: Uploads) -> Result<Vec<Media>, UploadRejection> {
        let mut stored = Vec::new();
        loop {
            if let Some(quota) = self.quota {
                let used = self.media.stats(uploads.owner()).await?.bytes;
                uploads.set_room(quota.saturating_sub(used));
            }
            let Some(upload) = uploads.next().await? else { break };
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
            several => Json(several.iter().map(Media::for_owner).collect::<Vec<OwnerView<'_>>>())
                .into_response(),
        };
        *response.status_mut() = StatusCode::CREATED;
        // The owner's view is for the owner.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Takes an upload. Who is asking comes first, before a byte of the body is read (promise G14).
async fn take<S>(State(intake): State<Arc<Intake<S>>>, request: Request) -> Response
where
    S: Send + Sync + 'static,
{
    let (mut parts, body) = request.into_parts();
    let mut response = match intake.owner.owner(&mut parts, &intake.state).await {
        Ok(owner) => {
            let request = Request::from_parts(parts, body);
            let stored = async { intake.store(intake.policy.accept(owner, request).await?).await };
            match stored.await {
                Ok(stored) => intake.created(&stored),
                Err(rejection) => rejection.into_response(),
            }
        }
        Err(Refusal::Guard(_)) => UploadRejection::MissingOwner.into_response(),
        Err(Refusal::Extractor(response)) => response,
    };
    make_safe(response.headers_mut());
    response
}
