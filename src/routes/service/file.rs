//! Delivery of originals, variants and transforms.

use std::str::FromStr;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};

use super::{
    ServiceState, SharedState,
    error::{NO_FILE, ServiceError},
    media::PathId,
    query::Query,
};
use crate::{
    error::ErrorKind,
    id::MediaId,
    media::{Format, ParseNameError, Rendition, Transform, is_raster_image},
    routes::delivery::{Access, Conditions, RenditionRequest, permanent_rendition_failure},
};

/// The error of a transform of media that is not an image.
const NOT_AN_IMAGE: &str = "Transform only supported for images";

/// The route of a request, which decides the error of a rendition that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    File,
    Variant,
    Transform,
}

/// `GET /{id}/file`
pub(super) async fn original(
    State(service): SharedState,
    PathId(id): PathId,
    query: Query,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ServiceError> {
    let rendition = match query.first("original") {
        Some("1") => Rendition::Original,
        _ => service.compatibility.original(&service.media, &id).await?,
    };
    deliver(&service, &id, (Route::File, rendition), &method, &headers).await
}

/// `GET /{id}/file/{variant}`: that variant, never the original instead (promise P5).
pub(super) async fn variant(
    State(service): SharedState,
    PathId(id): PathId,
    path: Option<Path<(String, String)>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ServiceError> {
    let name = path.map(|Path((_, name))| name).unwrap_or_default();
    let rendition = service.compatibility.named(&service.media, &id, &name).await?;
    deliver(&service, &id, (Route::Variant, rendition), &method, &headers).await
}

/// `GET /{id}/transform`
pub(super) async fn transform(
    State(service): SharedState,
    PathId(id): PathId,
    query: Query,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ServiceError> {
    let transform = transform_of(&query)?;
    deliver(&service, &id, (Route::Transform, transform.into()), &method, &headers).await
}

async fn deliver(
    service: &ServiceState,
    id: &MediaId,
    (route, rendition): (Route, Rendition),
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, ServiceError> {
    let redirect = service.redirect;
    let request =
        RenditionRequest { id, rendition, access: Access::Owner, inline_types: None, redirect };
    let error = match request.deliver(&service.media, &Conditions::of(method, headers)).await {
        Ok(response) => return Ok(response),
        Err(error) => error,
    };
    let media = service.media.get(id).await?;
    let failure = permanent_rendition_failure(&error).filter(|_| rendition != Rendition::Original);
    Err(match (route, failure) {
        // The record exists, so the bytes are missing.
        (_, None) if error.kind() == ErrorKind::NotFound => ServiceError::not_found(NO_FILE),
        (Route::Variant, Some(reason)) => ServiceError::not_found(NO_FILE).with_reason(reason),
        (Route::Transform, Some(reason)) if !is_raster_image(&media.mime_type) => {
            ServiceError::bad_request(NOT_AN_IMAGE).with_reason(reason)
        }
        (_, Some(reason)) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            ServiceError::new(status, error.to_string()).with_reason(reason)
        }
        _ => error.into(),
    })
}

/// Parses the parameters of a transform. Invalid ones, with which the original service fails, are refused.
fn transform_of(query: &Query) -> Result<Transform, ServiceError> {
    let mut transform = Transform::new();
    let (width, height) = (side(query, "w")?, side(query, "h")?);
    if let Some(width) = width.filter(|width| *width > 0) {
        transform = transform.with_width(width);
    }
    if let Some(height) = height.filter(|height| *height > 0) {
        transform = transform.with_height(height);
    }
    let sized = transform.width().is_some() || transform.height().is_some();
    match named(query, "fit") {
        Ok(Some(fit)) => transform = transform.with_fit(fit),
        Ok(None) => {}
        // Without a size, the fit has no effect.
        Err(refusal) if sized => return Err(refusal),
        Err(_) => {}
    }
    if let Some(format) = named(query, "format")? {
        transform = transform.with_format(format);
    }
    match query.number("q") {
        None | Some(0) => {}
        // PNG is lossless.
        Some(_) if transform.format() == Format::Png => {}
        Some(quality @ 1..=100) => transform = transform.with_quality(quality as u32),
        Some(_) => return Err(ServiceError::bad_request("q must be 1 to 100")),
    }
    Ok(transform)
}

/// Parses one side in pixels; 0 leaves it free. `Transform` clamps it.
fn side(query: &Query, name: &str) -> Result<Option<u32>, ServiceError> {
    Ok(query.count(name)?.map(|side| u32::try_from(side).unwrap_or(u32::MAX)))
}

fn named<T: FromStr<Err = ParseNameError>>(
    query: &Query,
    name: &str,
) -> Result<Option<T>, ServiceError> {
    let refuse = |unknown| ServiceError::bad_request(format!("{name} {unknown}"));
    query.first(name).map(str::parse).transpose().map_err(refuse)
}
