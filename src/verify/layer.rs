//! The layer, and what can be set on it.

use std::{any::type_name, fmt, marker::PhantomData, ops::RangeInclusive, sync::Arc};

use axum::response::IntoResponse;
use tower_layer::Layer;

use super::{
    guard::{ByClosure, ByTrait, Guard, Rules},
    service::VerifyMedia,
};
use crate::{
    extract::{OwnerExtension, OwnerFrom, VerifyMediaRejection, ViaBody},
    id::{InvalidMediaId, UnverifiedId},
    owner::{InvalidOwner, InvalidScope, Owner, Scope, Scopes},
    state::MediaState,
};

/// Layer that lets a request pass only if the caller owns every media id in it.
///
/// `E` is the extractor that reads the request; `M` says how it does that and is inferred, so it is
/// written `_` (only in a signature it is named: [`ViaParts`](crate::extract::ViaParts) for what reads
/// no body). The other parameters follow from the methods called.
///
/// # Default
///
/// 1 to 100 distinct ids, owned in any scope, by the [`Owner`](crate::Owner) in the request's
/// extensions; refusals are `application/problem+json`.
///
/// # In a signature
///
/// An application with several routes writes once what its guards have in common:
///
/// ```
/// use axum::{Json, Router, extract::Path, routing::{get, post}};
/// use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer};
///
/// fn guard<E, M>(media: &MediaState) -> VerifyMediaLayer<E, M> {
///     VerifyMediaLayer::new(media.clone()).scopes(["me", "wardrobe"])
/// }
///
/// let media = MediaState::in_memory();
/// let app: Router = Router::new()
///     .route("/posts", post(|| async {}).layer(guard::<Json<Vec<UnverifiedId>>, _>(&media)))
///     .route("/pictures/{id}", get(|| async {}).layer(guard::<Path<UnverifiedId>, _>(&media)));
/// ```
///
/// With `.with_state(..)` and `.owner_from(..)` the type is
/// `VerifyMediaLayer<E, M, AppState, OwnerFrom<Claims>>`, with
/// [`OwnerFrom`](crate::extract::OwnerFrom).
///
/// See the [module docs](crate::verify) for an example, for where the layer must sit, and for what it
/// answers.
#[must_use = "a layer does nothing until it is put on a route"]
pub struct VerifyMediaLayer<E, M = ViaBody, S = (), O = OwnerExtension, C = ByTrait> {
    guard: Guard<S, O, C>,
    marker: PhantomData<fn() -> (E, M)>,
}

impl<E, M> VerifyMediaLayer<E, M> {
    /// Guards with the ownership of `media`.
    pub fn new(media: MediaState) -> Self {
        let rules = Rules {
            #[cfg(feature = "testkit")]
            number: media.guards().next_layer(),
            media,
            scopes: Ok(Scopes::any()),
            ids: 1..=100,
            fresh: false,
            on_reject: None,
        };
        Self::of(Guard { rules, state: (), owner: OwnerExtension, source: ByTrait })
    }
}

impl<E, M, S, O, C> VerifyMediaLayer<E, M, S, O, C> {
    fn of(guard: Guard<S, O, C>) -> Self {
        Self { guard, marker: PhantomData }
    }

    /// Sets the scopes that count: an id must be owned in one of them.
    ///
    /// A text that is no scope, and an empty list, make the route answer 500 and say so.
    pub fn scopes<I>(mut self, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        self.guard.rules.scopes = Scopes::of(scopes);
        self
    }

    /// Sets how many distinct ids a request has. `0..=n` lets requests without ids pass, with an
    /// empty proof.
    ///
    /// There is no upper bound but what the ownership can answer: the ids go into one question. An
    /// empty range makes the route answer 500 and say so.
    pub fn ids(mut self, count: RangeInclusive<usize>) -> Self {
        self.guard.rules.ids = count;
        self
    }

    /// Demands an answer that is not remembered from an earlier request. It matters with an
    /// [`Ownership`] that remembers answers; [`InMemory`](crate::InMemory) does not.
    ///
    /// [`Ownership`]: crate::Ownership
    pub fn fresh(mut self) -> Self {
        self.guard.rules.fresh = true;
        self
    }

    /// Sets who answers a refusal, and how. The default is `IntoResponse` of the rejection, which
    /// stays at hand for the cases that are not to be changed.
    ///
    /// What the extractor `E` or that of [`owner_from`](Self::owner_from) refuses is passed through
    /// and does not come here.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::post};
    /// use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer, extract::VerifyMediaRejection};
    ///
    /// let media = MediaState::in_memory();
    /// let layer = VerifyMediaLayer::<Json<Vec<UnverifiedId>>, _>::new(media).on_reject(
    ///     |rejection: VerifyMediaRejection| match rejection {
    ///         VerifyMediaRejection::MediaNotOwned(_) => StatusCode::FORBIDDEN.into_response(),
    ///         other => other.into_response(),
    ///     },
    /// );
    /// let app: Router = Router::new().route("/posts", post(|| async {}).layer(layer));
    /// ```
    pub fn on_reject<F, R>(mut self, respond: F) -> Self
    where
        F: Fn(VerifyMediaRejection) -> R + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.guard.rules.on_reject =
            Some(Arc::new(move |rejection| respond(rejection).into_response()));
        self
    }

    /// Gives the extractors the router's state, for those that need it.
    pub fn with_state<S2>(self, state: S2) -> VerifyMediaLayer<E, M, S2, O, C> {
        let Guard { rules, owner, source, .. } = self.guard;
        VerifyMediaLayer::of(Guard { rules, state, owner, source })
    }

    /// Takes the owner from the extractor `X`: claims, a session, whatever signs people in. What `X`
    /// rejects is passed through; an owner that cannot be made is nobody, which is 401.
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
    /// let layer = VerifyMediaLayer::<Json<Vec<UnverifiedId>>, _>::new(media)
    ///     .owner_from::<Claims>(|claims| Owner::new(claims.sub));
    /// let app: Router = Router::new().route("/posts", post(|| async {}).layer(layer));
    /// ```
    pub fn owner_from<X>(
        self,
        owner: impl Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync + 'static,
    ) -> VerifyMediaLayer<E, M, S, OwnerFrom<X>, C> {
        let Guard { rules, state, source, .. } = self.guard;
        VerifyMediaLayer::of(Guard { rules, state, owner: OwnerFrom::new(owner), source })
    }

    /// Reads the ids with a closure, for a payload that cannot implement
    /// [`MediaIds`](crate::MediaIds). Text that is not an id is 422.
    ///
    /// The closure sees what the handler will get. It must return **every** id the handler may use;
    /// one that it leaves out cannot be opened by the handler.
    ///
    /// # Example
    ///
    /// ```
    /// use axum::{Json, Router, routing::post};
    /// use serde_json::Value;
    /// use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer};
    ///
    /// let media = MediaState::in_memory();
    /// let layer = VerifyMediaLayer::<Json<Value>, _>::new(media).ids_from(|Json(body): &Json<Value>| {
    ///     let references = body["references"].as_array().into_iter().flatten();
    ///     references.map(|id| UnverifiedId::parse(id.as_str().unwrap_or_default())).collect()
    /// });
    /// let app: Router = Router::new().route("/posts", post(|| async {}).layer(layer));
    /// ```
    pub fn ids_from<F>(self, read: F) -> VerifyMediaLayer<E, M, S, O, ByClosure<F>>
    where
        F: Fn(&E) -> Result<Vec<UnverifiedId>, InvalidMediaId>,
    {
        let Guard { rules, state, owner, .. } = self.guard;
        VerifyMediaLayer::of(Guard { rules, state, owner, source: ByClosure(read) })
    }
}

impl<I, E, M, S, O, C> Layer<I> for VerifyMediaLayer<E, M, S, O, C>
where
    S: Clone,
    O: Clone,
    C: Clone,
{
    type Service = VerifyMedia<I, E, M, S, O, C>;

    fn layer(&self, inner: I) -> Self::Service {
        let guard = self.guard.clone();
        #[cfg(feature = "testkit")]
        let guard = guard.declared(type_name::<E>());
        VerifyMedia::new(inner, guard)
    }
}

impl<E, M, S: Clone, O: Clone, C: Clone> Clone for VerifyMediaLayer<E, M, S, O, C> {
    fn clone(&self) -> Self {
        Self::of(self.guard.clone())
    }
}

impl<E, M, S, O: fmt::Debug, C> fmt::Debug for VerifyMediaLayer<E, M, S, O, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyMediaLayer")
            .field("extractor", &type_name::<E>())
            .field("guard", &self.guard)
            .finish()
    }
}
