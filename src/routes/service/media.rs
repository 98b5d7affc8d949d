//! Single records, and the state of the service.

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use super::{
    SharedState,
    error::{NO_MEDIA, ServiceError},
};
use crate::{
    id::MediaId,
    protocol::{DeletedResponse, HealthResponse, ReadyResponse, Record},
};

/// The id in a path. Callers of the service are trusted, so it needs no ownership check.
pub(super) struct PathId(pub(super) MediaId);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ServiceError> {
        // The path may have more parameters. An invalid id is unknown.
        let unknown = || ServiceError::not_found(NO_MEDIA);
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Path(path) = path.map_err(|_| unknown())?;
        let id =
            path.iter().find(|(name, _)| name == "id").map(|(_, id)| id).ok_or_else(unknown)?;
        MediaId::from_trusted(id).map(Self).map_err(|_| unknown())
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

/// `GET /hash/{sha256}`: one record with this content, regardless of owner.
pub(super) async fn by_hash(
    State(service): SharedState,
    path: Option<Path<String>>,
) -> Result<Response, ServiceError> {
    let unknown = || ServiceError::not_found(NO_MEDIA);
    let hash = path.and_then(|Path(hash)| hash.parse().ok()).ok_or_else(unknown)?;
    let media = service.media.admin().find_by_hash(hash).await?.ok_or_else(unknown)?;
    Ok(Json(Record::from(media)).into_response())
}

/// `DELETE /{id}`: this record only, not other records of equal bytes.
pub(super) async fn remove(
    State(service): SharedState,
    PathId(id): PathId,
) -> Result<Response, ServiceError> {
    if service.media.admin().delete(&id).await? {
        Ok(Json(DeletedResponse::SUCCESS).into_response())
    } else {
        Err(ServiceError::not_found(NO_MEDIA))
    }
}

/// `GET /health`: the process responds.
pub(super) async fn health() -> Response {
    Json(HealthResponse::now()).into_response()
}

/// `GET /ready`: the backend responds.
pub(super) async fn ready(State(service): SharedState) -> Result<Response, ServiceError> {
    service.media.check_health().await?;
    Ok(Json(ReadyResponse::READY).into_response())
}

/// `GET /metrics`
pub(super) async fn metrics(State(service): SharedState) -> Response {
    let text = service.metrics.as_ref().map(|render| render()).unwrap_or_default();
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
