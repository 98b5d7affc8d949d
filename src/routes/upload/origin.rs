//! Cross-site request forgery protection of upload routes (promise P16).

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::http::{Request, Response, request::Parts};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_layer::Layer as _;
use tower_service::Service;

use super::UploadRejection;

/// Applies tower-http's `CsrfLayer` to the head of a request.
pub(in crate::routes) async fn check(
    rules: &CsrfLayer,
    parts: &Parts,
) -> Result<(), UploadRejection> {
    let mut head = Request::new(());
    *head.method_mut() = parts.method.clone();
    *head.uri_mut() = parts.uri.clone();
    *head.headers_mut() = parts.headers.clone();
    let Ok(answer) = rules.layer(Allowed).call(head).await;
    match answer.extensions().get::<ProtectionError>() {
        None => Ok(()),
        Some(_) => Err(UploadRejection::CrossSite),
    }
}

/// The inner service of the layer, reached by allowed requests.
struct Allowed;

impl Service<Request<()>> for Allowed {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}
