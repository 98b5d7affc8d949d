//! Cross-site request forgery protection of upload routes (promise P16).

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::http::{Request, Response, header, request::Parts, uri::Authority};
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
        Some(_) => Err(rejection(parts)),
    }
}

/// Returns the reason, with both hosts where only their difference is the reason.
fn rejection(parts: &Parts) -> UploadRejection {
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).or_else(|| parts.uri.authority().map(Authority::as_str));
    let (Some(origin), Some(host)) = (text(header::ORIGIN), host) else {
        return UploadRejection::CrossSite;
    };
    if parts.headers.contains_key("sec-fetch-site") || origin == "null" {
        return UploadRejection::CrossSite;
    }
    tracing::warn!(origin, host, "an upload was refused because its page is of another host");
    UploadRejection::OtherHost { origin: origin.to_owned(), host: host.to_owned() }
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
