//! The handlers of the delivery routes: who may read which rendition.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, Request, State},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    config::{DeliveryConfig, ResourcePolicy},
    media_path::{MediaPath, media_not_found},
    respond::{Access, RenditionRequest},
    transform::transform,
};
use crate::{
    error::Result,
    extract::VerifiedMedia,
    media::{Rendition, make_safe},
    problem::Problem,
    routes::signed_url::{Claims, LinkOptions, SignatureError},
    util::drain_body::drain_on_drop,
};

/// The part of the URL that names the rendition.
#[derive(Debug, Clone, Copy)]
pub(super) enum RenditionSource {
    Path,
    Query,
}

/// Returns the rendition that the path names, or `None` if the name is unknown.
fn rendition_of(config: &DeliveryConfig, path: &MediaPath) -> Option<Rendition> {
    match &path.rendition {
        None => Some(Rendition::Original),
        Some(name) => config.named(name),
    }
}

/// Verifies the signature of a URL, and returns the rendition that it opens.
fn verify_signature(
    config: &DeliveryConfig,
    source: RenditionSource,
    path: &MediaPath,
    query: &str,
) -> Result<(Rendition, Access), SignatureError> {
    let rendition = match source {
        RenditionSource::Path => rendition_of(config, path),
        RenditionSource::Query => transform(query).ok().map(Rendition::Transform),
    };
    let (Some(signer), Some(rendition)) = (config.media.url_signer(), rendition) else {
        return Err(SignatureError::Missing);
    };
    let claims = Claims { id: path.id.text(), options: LinkOptions::new(rendition) };
    let (options, expires_in) = signer.verify(claims, query)?;
    Ok((rendition, Access::SignedUrl { expires_in, attachment: options.is_attachment() }))
}

/// Serves a request with a signed URL; every other request continues to the guard.
pub(super) async fn serve_signed(
    State((config, source)): State<(Arc<DeliveryConfig>, RenditionSource)>,
    path: Result<MediaPath>,
    RawQuery(query): RawQuery,
    request: Request,
    next: Next,
) -> Response {
    let request = drain_on_drop(request);
    let query = query.unwrap_or_default();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    // `signed_url` never percent-encodes a path: an encoded one would be a second cache key of the same URL.
    let is_canonical = !request.uri().path().contains('%');
    let verified = match &path {
        Ok(path) if is_read && is_canonical => verify_signature(&config, source, path, &query),
        _ => Err(SignatureError::Missing),
    };
    let mut policy = ResourcePolicy::default();
    let mut response = match (verified, path) {
        (Ok((rendition, access)), Ok(path)) => {
            policy = config.cross_origin_resource_policy;
            // The signature is the proof of access: it was made for a `MediaId`.
            let id = path.id.to_candidate();
            let rendition = RenditionRequest {
                id: &id,
                rendition,
                access,
                inline_types: Some(&config.inline_types),
                redirect: config.redirect,
            };
            rendition.respond(&config.media, request.method(), request.headers()).await
        }
        (verified, _) => {
            let response = next.run(request).await;
            let is_unauthenticated = response.status() == StatusCode::UNAUTHORIZED;
            let is_invalid = matches!(verified, Err(SignatureError::Invalid));
            if is_unauthenticated && is_invalid { invalid_link() } else { response }
        }
    };
    make_safe(response.headers_mut());
    policy.insert_into(response.headers_mut());
    response
}

/// Serves media that the guard has verified to its owner.
pub(super) async fn serve_owned(
    State(config): State<Arc<DeliveryConfig>>,
    VerifiedMedia(path, owned): VerifiedMedia<MediaPath>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(rendition) = rendition_of(&config, &path) else {
        let detail = "The media has no rendition of this name.";
        return Problem::new(StatusCode::NOT_FOUND, "no-such-rendition", detail).into_response();
    };
    let rendition = RenditionRequest {
        id: &owned[&path.id],
        rendition,
        access: Access::Owner,
        inline_types: Some(&config.inline_types),
        redirect: config.redirect,
    };
    rendition.respond(&config.media, &method, &headers).await
}

/// Refuses a transform without a signature, because the application decides how many transforms are made
/// and stored (promise P12).
pub(super) async fn unsigned_transform(
    path: Result<MediaPath>,
    RawQuery(query): RawQuery,
) -> Response {
    if path.is_err() {
        return media_not_found().into_response();
    }
    match transform(&query.unwrap_or_default()) {
        Ok(_) => invalid_link(),
        Err(error) => error.into_response(),
    }
}

fn invalid_link() -> Response {
    let detail = "The link has expired or is not valid. Request a new one.";
    Problem::new(StatusCode::FORBIDDEN, "invalid-link", detail).into_response()
}
