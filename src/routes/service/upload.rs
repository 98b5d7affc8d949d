//! `POST /upload`

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    Shared,
    form::{Form, no_file},
    refusal::Refusal,
};
use crate::protocol::Record;
use crate::{
    extract::reader,
    routes::upload::{Pace, UploadRejection, announced, paced},
};

/// How much larger than its file a body may be, as with the recorded service.
const REST: u64 = 28 << 20;

/// For all of an upload.
const LONGEST: Duration = Duration::from_secs(60 * 60);

pub(super) async fn upload(State(service): Shared, request: Request) -> Result<Response, Refusal> {
    let limits = &service.limits;
    let bytes = limits.max_bytes.saturating_add(REST);
    if announced(request.headers()).is_some_and(|announced| announced > bytes) {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"));
    }
    let _place = service.uploads.try_acquire().map_err(|_| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, UploadRejection::TooBusy.to_string())
    })?;
    let (parts, body) = request.into_parts();
    let body = paced(
        body,
        Pace {
            bytes,
            otherwise: UploadRejection::TooLarge(limits.max_bytes),
            idle: limits.idle,
            whole: LONGEST,
        },
    );
    let reader = reader(&parts.headers, body).map_err(|_| no_file())?;
    let (owner, upload) = Form::read(reader, limits).await?.into_upload().await?;
    let media = service.media.upload(&owner, upload).await?;
    Ok((StatusCode::CREATED, Json(Record::from(media))).into_response())
}
