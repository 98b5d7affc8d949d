//! An extractor without media ids, of another crate or over the types of another crate.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};

use super::MediaIds;
use crate::ownership::IdCollector;

/// An extractor that carries no media ids, for types that do not implement [`MediaIds`].
///
/// `Skip<Path<OrderNumber>>` extracts what `Path<OrderNumber>` does. Written in the type of the guard and of
/// the handler, it is the `#[media(skip)]` of extractors: ids inside are **not verified**, and the handler
/// cannot open them.
///
/// # Example
///
/// ```
/// use axum::{Json, Router, extract::Path, routing::put};
/// use tower_media::{extract::Skip, MediaState, UnverifiedId, VerifiedMedia, VerifyMediaLayer};
///
/// mod shop {
///     #[derive(serde::Deserialize)]
///     pub struct OrderNumber(pub u64); // a type of another crate
/// }
///
/// type Request = (Skip<Path<shop::OrderNumber>>, Json<Vec<UnverifiedId>>);
///
/// async fn attach(
///     VerifiedMedia((Skip(Path(order)), Json(_)), owned): VerifiedMedia<Request>,
/// ) -> String {
///     format!("order {} has {} pictures", order.0, owned.ids().len())
/// }
///
/// let guard = VerifyMediaLayer::<Request>::new(MediaState::in_memory());
/// let app: Router = Router::new().route("/orders/{order}", put(attach).layer(guard));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skip<E>(pub E);

impl<S, E> FromRequestParts<S> for Skip<E>
where
    S: Send + Sync,
    E: FromRequestParts<S>,
{
    type Rejection = E::Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        E::from_request_parts(parts, state).await.map(Self)
    }
}

impl<S, E> FromRequest<S> for Skip<E>
where
    S: Send + Sync,
    E: FromRequest<S>,
{
    type Rejection = E::Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        E::from_request(request, state).await.map(Self)
    }
}

impl<E> MediaIds for Skip<E> {
    fn media_ids(&self, _: &mut IdCollector) {}
}
