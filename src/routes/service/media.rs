//! Single records, and the service itself.

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{
    SharedState,
    error::{NO_MEDIA, ServiceError},
};
use crate::id::MediaId;
use crate::protocol::Record;

/// The id in a path. Callers of the service are trusted, so it may be acted on.
pub(super) struct PathId(pub(super) MediaId);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ServiceError> {
        // There may be more in the path. What is no id, in whatever way, names nothing.
        let none = || ServiceError::not_found(NO_MEDIA);
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Path(path) = path.map_err(|_| none())?;
        let id = path.iter().find(|(name, _)| name == "id").map(|(_, id)| id).ok_or_else(none)?;
        MediaId::from_trusted(id).map(Self).map_err(|_| none())
    }
}

/// `GET /{id}`
pub(super) async fn get(
    State(service): SharedState,
    PathId(id): PathId,
) -> Result<Response, ServiceError> {
    let media = service.media.get(&id).await?;
    Ok(Json(Record::from(media)).into_response())
}

/// `GET /hash/{sha256}`: a record of this content, whoever has it.
pub(super) async fn by_hash(
    State(service): SharedState,
    path: Option<Path<String>>,
) -> Result<Response, ServiceError> {
    let none = || ServiceError::not_found(NO_MEDIA);
    let hash = path.and_then(|Path(hash)| hash.parse().ok()).ok_or_else(none)?;
    let media = service.media.admin().find_by_hash(hash).await?.ok_or_else(none)?;
    Ok(Json(Record::from(media)).into_response())
}

/// `DELETE /{id}`: this record, and no other of the same bytes.
pub(super) async fn remove(
    State(service): SharedState,
    PathId(id): PathId,
) -> Result<Response, ServiceError> {
    if service.media.admin().delete(&id).await? {
        Ok(Json(json!({ "success": true })).into_response())
    } else {
        Err(ServiceError::not_found(NO_MEDIA))
    }
}

/// `GET /health`: this process answers.
pub(super) async fn health() -> Response {
    let now = jiff::Timestamp::now();
    let health =
        json!({ "status": "ok", "service": "tower-media", "timestamp": format!("{now:.3}") });
    Json(health).into_response()
}

/// `GET /ready`: so do its database and its store.
pub(super) async fn ready(State(service): SharedState) -> Result<Response, ServiceError> {
    service.media.check_health().await?;
    Ok(Json(json!({ "status": "ready" })).into_response())
}

/// `GET /metrics`
pub(super) async fn metrics(State(service): SharedState) -> Response {
    let text = service.metrics.as_ref().map(|render| render()).unwrap_or_default();
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
