//! `POST /upload`

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    SharedState,
    error::ServiceError,
    form::{Form, no_file},
};
use crate::{
    extract::reader,
    protocol::Record,
    routes::upload::{BodyLimits, UploadRejection, content_length, limited_body},
};

/// The greatest size of a body in bytes, not counting its file; as in the original service.
const MAX_FORM_OVERHEAD: u64 = 28 << 20;

/// The timeout of a whole upload.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60 * 60);

pub(super) async fn upload(
    State(service): SharedState,
    request: Request,
) -> Result<Response, ServiceError> {
    let limits = &service.limits;
    let max_bytes = limits.max_bytes.saturating_add(MAX_FORM_OVERHEAD);
    if content_length(request.headers()).is_some_and(|length| length > max_bytes) {
        return Err(ServiceError::new(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"));
    }
    let _permit = service.uploads.try_acquire().map_err(|_| {
        ServiceError::new(StatusCode::SERVICE_UNAVAILABLE, UploadRejection::TooBusy.to_string())
    })?;
    let (parts, body) = request.into_parts();
    let body = limited_body(
        body,
        BodyLimits {
            max_bytes,
            too_large: UploadRejection::TooLarge(limits.max_bytes),
            idle_timeout: limits.idle_timeout,
            total_timeout: TOTAL_TIMEOUT,
            min_rate: limits.min_rate,
        },
    );
    let reader = reader(&parts.headers, body).map_err(|_| no_file())?;
    let (owner, upload) =
        Form::read(reader, limits).await?.into_upload(service.compatibility).await?;
    let media = service.media.upload(&owner, upload).await?;
    Ok((StatusCode::CREATED, Json(Record::from(media))).into_response())
}
