//! Runs an extractor without consuming the request.

use std::{error::Error, iter, mem};

use axum::{
    RequestExt as _,
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
    response::IntoResponse as _,
};
use http_body_util::{BodyExt as _, Full, LengthLimitError};

use super::{Refusal, UnreadableBody, VerifyMediaRejection};

/// Marks an extractor that reads only the parts of a request. The body is not touched.
#[derive(Debug, Clone, Copy)]
pub enum ViaParts {}

/// Marks an extractor that consumes the body. The body is read once, within axum's body limit, and the
/// same bytes are restored for the handler.
#[derive(Debug, Clone, Copy)]
pub enum ViaBody {}

/// Marks an extractor that keeps the body as a stream and hands it to the handler itself.
#[derive(Debug, Clone, Copy)]
pub enum ViaStream {}

/// An extractor that the guard can run. The marker `M` selects the way, and the compiler infers it.
///
/// Implemented for every type that implements `FromRequestParts` or `FromRequest`, and for
/// [`MultipartForm`](super::MultipartForm). A bound on it is needed only in a function that accepts
/// extractors of both kinds; `M` is then a type parameter of that function, written `_` by its callers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extractor that `VerifyMediaLayer` can run",
    note = "for a payload in a JSON body write `Json<{Self}>`, and likewise `Form`, `Query`, `Path`",
    note = "an extractor needs `FromRequestParts<{S}>` or `FromRequest<{S}>`; if it needs the router's state, \
            give the layer the state: `VerifyMediaLayer::new_with_state(media, state)`",
    note = "for a multipart form use `MultipartForm<T>`"
)]
pub trait GuardedExtractor<S, M>: Sized + Send + 'static {
    /// Extracts the value, and restores the request for the handler.
    #[doc(hidden)]
    fn extract(
        parts: &mut Parts,
        body: &mut Body,
        state: &S,
    ) -> impl Future<Output = Result<Self, Refusal>> + Send;
}

#[diagnostic::do_not_recommend]
impl<S, E> GuardedExtractor<S, ViaParts> for E
where
    S: Send + Sync,
    E: FromRequestParts<S> + Send + 'static,
{
    async fn extract(parts: &mut Parts, _: &mut Body, state: &S) -> Result<Self, Refusal> {
        let extracted = E::from_request_parts(parts, state).await;
        extracted.map_err(|rejection| Refusal::Extractor(rejection.into_response()))
    }
}

#[diagnostic::do_not_recommend]
impl<S, E> GuardedExtractor<S, ViaBody> for E
where
    S: Send + Sync,
    E: FromRequest<S> + Send + 'static,
{
    async fn extract(parts: &mut Parts, body: &mut Body, state: &S) -> Result<Self, Refusal> {
        let collected = limited(parts, mem::take(body)).collect().await.map_err(unreadable)?;
        let trailers = collected.trailers().cloned();
        let bytes = collected.to_bytes();
        *body = match trailers {
            None => Body::from(bytes.clone()),
            Some(trailers) => {
                let bytes = Full::new(bytes.clone());
                Body::new(bytes.with_trailers(async move { Some(Ok(trailers)) }))
            }
        };
        let copy = Request::from_parts(parts.clone(), Body::from(bytes));
        // Boxed separately: one future of both sizes exceeds the allocator's cached size classes.
        let extracted = Box::pin(E::from_request(copy, state)).await;
        extracted.map_err(|rejection| Refusal::Extractor(rejection.into_response()))
    }
}

/// Applies axum's body limit. The limit is in the extensions, where only axum can read it.
pub(super) fn limited(parts: &mut Parts, body: Body) -> Body {
    let mut request = Request::new(body);
    mem::swap(request.extensions_mut(), &mut parts.extensions);
    let (limited, body) = request.with_limited_body().into_parts();
    parts.extensions = limited.extensions;
    body
}

fn unreadable(error: axum::Error) -> Refusal {
    let too_large = is_over_limit(&error);
    VerifyMediaRejection::UnreadableBody(UnreadableBody { too_large }).into()
}

/// Returns whether a body failed because of axum's body limit, which is in the error's source chain.
pub(super) fn is_over_limit(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |&error| error.source())
        .any(|error| error.is::<LengthLimitError>())
}
