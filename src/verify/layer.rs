//! The layer and its settings.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use axum::{extract::FromRequestParts, response::IntoResponse};
use tower_layer::Layer;

use super::{
    check::{Config, Guard, check},
    ids::IdSource,
    routing_position::names_path,
    service::VerifyMedia,
};
use crate::{
    extract::{GuardedExtractor, MediaIds, OwnerSource, VerifyMediaRejection},
    id::{InvalidMediaId, UnverifiedId},
    owner::{InvalidOwner, InvalidScope, Owner, Scope, Scopes},
    state::MediaState,
};

/// Layer that calls the inner service only if the caller owns every media id in the request.
///
/// `E` is the extractor that reads the request. `S` is the state that the extractors need, and is
/// rarely written: it follows from the constructor.
///
/// | constructor | reads the ids with | state |
/// |---|---|---|
/// | [`new`](Self::new) | [`MediaIds`](crate::MediaIds) of `E` | `()` |
/// | [`new_with_state`](Self::new_with_state) | [`MediaIds`](crate::MediaIds) of `E` | yours |
/// | [`with_ids`](Self::with_ids) | a closure | `()` |
/// | [`with_ids_and_state`](Self::with_ids_and_state) | a closure | yours |
///
/// # Default
///
/// 1 to 100 distinct ids, owned in any scope, by the [`Owner`](crate::Owner) in the request's
/// extensions; refusals are `application/problem+json`.
///
/// # Example
///
/// An application with several routes configures its guards in one function. It needs no bounds:
///
/// ```
/// use axum::{Json, Router, extract::Path, routing::{get, post}};
/// use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer};
///
/// fn configured<E>(guard: VerifyMediaLayer<E>) -> VerifyMediaLayer<E> {
///     guard.scopes(["me", "wardrobe"]).id_count(1..=8)
/// }
///
/// let media = MediaState::in_memory();
/// let posted = configured(VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media.clone()));
/// let by_path = configured(VerifyMediaLayer::<Path<UnverifiedId>>::new(media));
/// let app: Router = Router::new()
///     .route("/posts", post(async || ()).layer(posted))
///     .route("/pictures/{id}", get(async || ()).layer(by_path));
/// ```
///
/// A function that makes the layer as well takes the bounds of its extractor: those of the payload, or
/// axum's `FromRequest` or `FromRequestParts`.
///
/// ```
/// use axum::{Json, extract::FromRequestParts};
/// use serde::de::DeserializeOwned;
/// use tower_media::{MediaIds, MediaState, VerifyMediaLayer};
///
/// fn posted<T>(media: &MediaState) -> VerifyMediaLayer<Json<T>>
/// where
///     T: DeserializeOwned + MediaIds + Send + 'static,
/// {
///     VerifyMediaLayer::new(media.clone()).scopes(["me"])
/// }
///
/// fn in_parts<E>(media: &MediaState) -> VerifyMediaLayer<E>
/// where
///     E: FromRequestParts<()> + MediaIds + Send + 'static,
/// {
///     VerifyMediaLayer::new(media.clone()).scopes(["me"])
/// }
/// # use tower_media::UnverifiedId;
/// # let media = MediaState::in_memory();
/// # let _ = (posted::<Vec<UnverifiedId>>(&media), in_parts::<axum::extract::Path<UnverifiedId>>(&media));
/// ```
///
/// See the [module docs](crate::verify) for a whole application, for the placement of the layer, and
/// for its responses.
#[must_use = "a layer does nothing until it is put on a route"]
pub struct VerifyMediaLayer<E, S = ()> {
    guard: Guard<E, S>,
}

impl<E> VerifyMediaLayer<E> {
    /// Creates a layer that checks with the ownership of `media`, for an extractor that needs no state.
    #[track_caller]
    pub fn new<M>(media: MediaState) -> Self
    where
        E: GuardedExtractor<(), M> + MediaIds,
        M: 'static,
    {
        Self::new_with_state(media, ())
    }

    /// Creates a layer that reads the ids with a closure, for a payload that cannot implement
    /// [`MediaIds`](crate::MediaIds). Text that is not an id is answered 422.
    ///
    /// The closure receives the value that the handler will receive. It must return **every** id that
    /// the handler uses: the handler cannot open an id that the closure leaves out.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{Json, Router, routing::post};
    /// use serde_json::Value;
    /// use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer};
    ///
    /// let media = MediaState::in_memory();
    /// let guard = VerifyMediaLayer::<Json<Value>>::with_ids(media, |Json(body)| {
    ///     let references = body["references"].as_array().into_iter().flatten();
    ///     references.map(|id| UnverifiedId::parse(id.as_str().unwrap_or_default())).collect()
    /// });
    /// let app: Router = Router::new().route("/posts", post(async || ()).layer(guard));
    /// ```
    #[track_caller]
    pub fn with_ids<M, F>(media: MediaState, ids: F) -> Self
    where
        E: GuardedExtractor<(), M>,
        M: 'static,
        F: Fn(&E) -> Result<Vec<UnverifiedId>, InvalidMediaId> + Send + Sync + 'static,
    {
        Self::with_ids_and_state(media, (), ids)
    }
}

impl<E, S> VerifyMediaLayer<E, S> {
    /// Creates a layer whose extractors get `state`: `E`, and that of
    /// [`owner_from`](Self::owner_from).
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{Json, Router, extract::{FromRef, State}, routing::post};
    /// use tower_media::{MediaState, Owner, UnverifiedId, VerifyMediaLayer};
    ///
    /// #[derive(Clone)]
    /// struct AppState { media: MediaState, admin: String }
    ///
    /// let state = AppState { media: MediaState::in_memory(), admin: "ana".to_owned() };
    /// let guard = VerifyMediaLayer::<Json<Vec<UnverifiedId>>, AppState>::new_with_state(
    ///     state.media.clone(),
    ///     state.clone(),
    /// )
    /// .owner_from::<State<AppState>>(|State(state)| Owner::new(state.admin));
    /// let app: Router = Router::new().route("/posts", post(async || ()).layer(guard)).with_state(state);
    /// ```
    #[track_caller]
    pub fn new_with_state<M>(media: MediaState, state: S) -> Self
    where
        E: GuardedExtractor<S, M> + MediaIds,
        M: 'static,
        S: Send + Sync + 'static,
    {
        Self::build::<M>(media, state, IdSource::of_trait(), E::READS_PATH)
    }

    /// Creates a layer that reads the ids with a closure, as [`with_ids`](Self::with_ids), and whose
    /// extractors get `state`.
    #[track_caller]
    pub fn with_ids_and_state<M, F>(media: MediaState, state: S, ids: F) -> Self
    where
        E: GuardedExtractor<S, M>,
        M: 'static,
        S: Send + Sync + 'static,
        F: Fn(&E) -> Result<Vec<UnverifiedId>, InvalidMediaId> + Send + Sync + 'static,
    {
        Self::build::<M>(media, state, IdSource::of_closure(ids), false)
    }

    #[track_caller]
    fn build<M>(media: MediaState, state: S, ids: IdSource<E>, reads_path: bool) -> Self
    where
        E: GuardedExtractor<S, M>,
        M: 'static,
        S: Send + Sync + 'static,
    {
        let config = Config {
            #[cfg(feature = "testkit")]
            layer: media.guards().next_number(),
            #[cfg(feature = "testkit")]
            location: std::panic::Location::caller(),
            #[cfg(feature = "testkit")]
            mounted: None,
            media,
            scopes: Scopes::any(),
            id_count: 1..=100,
            bypass_cache: false,
            reads_path: reads_path || names_path::<E>(),
            on_reject: None,
        };
        let owner = OwnerSource::Extension;
        Self { guard: Guard { config, state, owner, ids, check: check::<E, S, M> } }
    }

    /// Sets the scopes that count: an id must be owned in at least one of them.
    ///
    /// # Panics
    ///
    /// If the list is empty, or contains text that is not a scope.
    #[track_caller]
    pub fn scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.guard.config.scopes = match Scopes::of(scopes) {
            Ok(scopes) => scopes,
            Err(_) => panic!(
                "`.scopes(..)` needs at least one scope, each 1 to 255 bytes without commas, control \
                 characters, or white space at its ends, such as `.scopes([\"me\", \"wardrobe\"])`; leave \
                 it out if ownership in any scope counts"
            ),
        };
        self
    }

    /// Sets the number of distinct ids that a request may have. `0..=n` accepts requests without ids,
    /// with an empty proof.
    ///
    /// The ownership receives all ids of a request in one query, so an upper bound beyond its own
    /// limits fails at the request.
    ///
    /// # Panics
    ///
    /// If the range allows no id at all: `0..=0`, or a start beyond the end.
    #[track_caller]
    pub fn id_count(mut self, count: RangeInclusive<usize>) -> Self {
        assert!(
            !count.is_empty() && *count.end() > 0,
            "`.id_count({count:?})` allows no media id: write the smallest and the greatest number of \
             ids of a request, such as `.id_count(1..=8)`, or `.id_count(0..=8)` for optional ids"
        );
        self.guard.config.id_count = count;
        self
    }

    /// Requires an answer that the ownership did not cache. It matters with an [`Ownership`] that
    /// caches answers, such as that of `Remote`.
    ///
    /// [`Ownership`]: crate::Ownership
    pub fn bypass_cache(mut self) -> Self {
        self.guard.config.bypass_cache = true;
        self
    }

    /// Sets the response to a rejection. Default: `IntoResponse` of the rejection.
    ///
    /// A rejection of the extractor `E`, or of that of [`owner_from`](Self::owner_from), is passed
    /// through without a call of this function.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::post};
    /// use tower_media::{
    ///     extract::VerifyMediaRejection,
    ///     MediaState,
    ///     UnverifiedId,
    ///     VerifyMediaLayer,
    /// };
    ///
    /// let media = MediaState::in_memory();
    /// let layer = VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media).on_reject(
    ///     |rejection: VerifyMediaRejection| match rejection {
    ///         VerifyMediaRejection::MediaNotOwned(_) => StatusCode::FORBIDDEN.into_response(),
    ///         other => other.into_response(),
    ///     },
    /// );
    /// let app: Router = Router::new().route("/posts", post(async || ()).layer(layer));
    /// ```
    pub fn on_reject<F, R>(mut self, respond: F) -> Self
    where
        F: Fn(VerifyMediaRejection) -> R + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.guard.config.on_reject =
            Some(Arc::new(move |rejection| respond(rejection).into_response()));
        self
    }

    /// Reads the owner from the extractor `X`, such as claims or a session.
    ///
    /// The same owner is then what [`Owner`](crate::Owner) extracts in the handler, instead of any
    /// that was in the request's extensions before (promise G17). A rejection of `X` is passed through;
    /// an invalid owner is answered 401.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{Json, Router, extract::FromRequestParts, http::{StatusCode, request::Parts}, routing::post};
    /// use tower_media::{MediaState, Owner, UnverifiedId, VerifyMediaLayer};
    ///
    /// struct Claims { sub: String }
    ///
    /// impl<S: Sync> FromRequestParts<S> for Claims {
    ///     type Rejection = StatusCode;
    ///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
    ///         # let token = parts.headers.get("authorization");
    ///         // … verify the token …
    ///         # token.map(|_| Claims { sub: "ana".into() }).ok_or(StatusCode::UNAUTHORIZED)
    ///     }
    /// }
    ///
    /// let media = MediaState::in_memory();
    /// let layer = VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media)
    ///     .owner_from::<Claims>(|claims| Owner::new(claims.sub));
    /// let app: Router = Router::new().route("/posts", post(async || ()).layer(layer));
    /// ```
    pub fn owner_from<X>(
        mut self,
        owner: impl Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync + 'static,
    ) -> Self
    where
        X: FromRequestParts<S> + 'static,
        S: Sync,
    {
        self.guard.owner = OwnerSource::from_extractor(owner);
        self
    }
}

impl<I, E, S: Clone> Layer<I> for VerifyMediaLayer<E, S> {
    type Service = VerifyMedia<I, E, S>;

    fn layer(&self, inner: I) -> Self::Service {
        let guard = self.guard.clone();
        #[cfg(feature = "testkit")]
        let guard = guard.mounted();
        VerifyMedia::new(inner, guard)
    }
}

impl<E, S: Clone> Clone for VerifyMediaLayer<E, S> {
    fn clone(&self) -> Self {
        Self { guard: self.guard.clone() }
    }
}

impl<E, S> fmt::Debug for VerifyMediaLayer<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyMediaLayer").field("guard", &self.guard).finish()
    }
}
