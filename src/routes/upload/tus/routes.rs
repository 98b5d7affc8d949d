//! The routes of the tus protocol.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::{head, post},
};

use super::{
    checksum::ALGORITHMS,
    names,
    partial_uploads::{Created, Finished, PartialUpload, PartialUploads},
    protocol::{self as tus, Metadata},
    receive::{check_quota, finish, receive},
    rejection::TusRejection,
};
use crate::{
    error::{Error, ErrorKind},
    extract::Refusal,
    media::make_safe,
    owner::Owner,
    routes::upload::{
        UploadRejection, concurrency::ConcurrencyPermit, limited_body::content_length, origin,
        state::UploadState,
    },
};

/// Returns the routes below the path of the upload route.
pub(in crate::routes::upload) fn routes<S>(path: &str) -> Router<Arc<UploadState<S>>>
where
    S: Send + Sync + 'static,
{
    let path = path.trim_end_matches('/');
    let created = post(create_upload::<S>).options(options::<S>);
    let continued = head(continue_upload::<S>)
        .patch(continue_upload::<S>)
        .delete(continue_upload::<S>)
        .post(continue_upload::<S>)
        .options(options::<S>);
    Router::new()
        .route(&format!("{path}/tus"), created)
        .route(&format!("{path}/tus/{{upload}}"), continued)
}

/// Describes the server. Needs neither owner nor version.
async fn options<S>(State(state): State<Arc<UploadState<S>>>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(names::VERSIONS, HeaderValue::from_static(names::VERSION));
    headers.insert(names::EXTENSION, HeaderValue::from_static(tus::EXTENSIONS));
    headers.insert(names::MAX_SIZE, state.policy.max_bytes.into());
    headers.insert(names::CHECKSUM_ALGORITHM, HeaderValue::from_static(ALGORITHMS));
    headers.insert(names::RESUMABLE, HeaderValue::from_static(names::VERSION));
    response
}

async fn create_upload<S>(State(state): State<Arc<UploadState<S>>>, request: Request) -> Response
where
    S: Send + Sync + 'static,
{
    let (mut parts, body) = request.into_parts();
    respond(match Exchange::begin(state, &mut parts).await {
        Ok(exchange) => exchange.in_background(|exchange| exchange.create(parts, body)).await,
        Err(response) => return respond(Ok(response)),
    })
}

async fn continue_upload<S>(
    State(state): State<Arc<UploadState<S>>>,
    Path(id): Path<String>,
    request: Request,
) -> Response
where
    S: Send + Sync + 'static,
{
    let (mut parts, body) = request.into_parts();
    let method = match tus::method_override(&parts.headers) {
        Some(method) if parts.method == "POST" => method.to_owned(),
        _ => parts.method.as_str().to_owned(),
    };
    let exchange = match Exchange::begin(state, &mut parts).await {
        Ok(exchange) => exchange,
        Err(response) => return respond(Ok(response)),
    };
    respond(match method.as_str() {
        "HEAD" => exchange.in_background(|exchange| exchange.offset(id)).await,
        "PATCH" => exchange.in_background(|exchange| exchange.append(id, parts, body)).await,
        "DELETE" => exchange.terminate(&id).await,
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    })
}

fn respond(response: Result<Response, TusRejection>) -> Response {
    let mut response = response.unwrap_or_else(TusRejection::into_response);
    let headers = response.headers_mut();
    headers.insert(names::RESUMABLE, HeaderValue::from_static(names::VERSION));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    make_safe(headers);
    response
}

/// A request of an owner.
struct Exchange<S> {
    state: Arc<UploadState<S>>,
    partial_uploads: PartialUploads,
    owner: Owner,
}

impl<S: Send + Sync + 'static> Exchange<S> {
    /// Requires the owner, the version, and an allowed origin, before the body is polled (promises G14, U2, P16).
    async fn begin(state: Arc<UploadState<S>>, parts: &mut Parts) -> Result<Self, Response> {
        let owner = match state.owner.owner(parts, &state.state).await {
            Ok(owner) => owner,
            Err(Refusal::Guard(_)) => return Err(UploadRejection::MissingOwner.into_response()),
            Err(Refusal::Extractor(response)) => return Err(response),
        };
        tus::check_version(&parts.headers).map_err(TusRejection::into_response)?;
        let origin = origin::check(&state.policy.origins, parts).await;
        origin.map_err(UploadRejection::into_response)?;
        let Some(partial_uploads) = state.partial_uploads.clone() else {
            return Err(StatusCode::NOT_FOUND.into_response());
        };
        Ok(Self { state, partial_uploads, owner })
    }

    /// Runs to the end even if the client disconnects, so that the bytes that have arrived are kept.
    async fn in_background<F>(self, run: impl FnOnce(Self) -> F) -> Result<Response, TusRejection>
    where
        F: Future<Output = Result<Response, TusRejection>> + Send + 'static,
    {
        let ran = tokio::spawn(run(self)).await;
        ran.unwrap_or_else(|error| {
            let what =
                if error.is_panic() { "it panicked" } else { "the runtime is shutting down" };
            let cause = Error::new(ErrorKind::Internal, what);
            Err(Error::new(ErrorKind::Internal, "the task of an upload failed")
                .with_source(cause)
                .into())
        })
    }

    async fn create(self, parts: Parts, body: Body) -> Result<Response, TusRejection> {
        let headers = &parts.headers;
        let length = tus::new_length(headers)?;
        let Metadata { file_name, content_type, scope } = tus::metadata(headers)?;
        let policy = &self.state.policy;
        let valid_scope = policy.valid_scope()?;
        if scope.is_some_and(|scope| scope != valid_scope.as_str()) {
            let expected = "without `scope`, or with the scope of this route";
            return Err(TusRejection::InvalidHeader("Upload-Metadata", expected));
        }
        if length.is_some_and(|length| length > policy.max_bytes) {
            return Err(UploadRejection::TooLarge(policy.max_bytes).into());
        }
        let unfinished = self.partial_uploads.bytes(&self.owner).await?;
        check_quota(&self.state, &self.owner, unfinished.saturating_add(length.unwrap_or(0)))
            .await?;
        let permit = policy.permit(&self.owner)?;
        self.partial_uploads.sweep_in_background();
        let created = Created { length, file_name, content_type };
        let upload = self.partial_uploads.create(&self.owner, &created).await?;
        let segment = parts.uri.path().rsplit('/').next().unwrap_or_default();
        let location = format!("{segment}/{}", upload.id());
        let body = if tus::is_part(headers) { body } else { Body::empty() };
        let mut response = self.receive(upload, created, &parts.headers, body, permit).await?;
        *response.status_mut() = StatusCode::CREATED;
        let location = HeaderValue::try_from(location);
        let location = location.map_err(|_| TusRejection::Unknown)?;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(response)
    }

    async fn offset(self, id: String) -> Result<Response, TusRejection> {
        let upload = self.partial_uploads.find(&self.owner, &id).await?;
        let created = self.partial_uploads.created(&upload).await?;
        let mut response = self.progress(upload, created.clone()).await?;
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        match created.length {
            Some(length) => headers.insert(names::UPLOAD_LENGTH, length.into()),
            None => headers.insert(names::UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
        };
        Ok(response)
    }

    async fn append(self, id: String, parts: Parts, body: Body) -> Result<Response, TusRejection> {
        let headers = &parts.headers;
        tus::check_part_type(headers)?;
        let offset = tus::upload_offset(headers)?;
        let upload = self.partial_uploads.find(&self.owner, &id).await?;
        let mut created = self.partial_uploads.created(&upload).await?;
        let finished = self.partial_uploads.finished(&upload).await?;
        let end = finished.map_or(upload.offset(), |finished| finished.length);
        if offset != end {
            return Err(TusRejection::WrongOffset(end));
        }
        if let Some(length) = tus::upload_length(headers)?.filter(|l| created.length != Some(*l)) {
            if created.length.is_some() || length < upload.offset() {
                let expected = "the length that was declared before";
                return Err(TusRejection::InvalidHeader("Upload-Length", expected));
            }
            if length > self.state.policy.max_bytes {
                return Err(UploadRejection::TooLarge(self.state.policy.max_bytes).into());
            }
            self.partial_uploads.set_length(&upload, length).await?;
            created.length = Some(length);
        }
        let part_end = content_length(headers).map(|length| end.saturating_add(length));
        if let Some(length) = created.length.filter(|l| part_end.is_some_and(|end| end > *l)) {
            return Err(TusRejection::TooLong(length));
        }
        let permit = self.state.policy.permit(&self.owner)?;
        self.receive(upload, created, headers, body, permit).await
    }

    async fn terminate(self, id: &str) -> Result<Response, TusRejection> {
        let upload = self.partial_uploads.find(&self.owner, id).await?;
        self.partial_uploads.delete(&upload).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    async fn receive(
        self,
        mut upload: PartialUpload,
        created: Created,
        headers: &HeaderMap,
        body: Body,
        _permit: ConcurrencyPermit,
    ) -> Result<Response, TusRejection> {
        let policy = &self.state.policy;
        let mut body = policy.limited_body(body, u64::MAX);
        if let Some(checksum) = tus::checksum(headers)? {
            let length = created.length.unwrap_or(policy.max_bytes);
            let left = length.saturating_sub(upload.offset());
            body = checksum.verify(body, left).await?.ok_or(TusRejection::TooLong(length))?;
        }
        let received = receive(&self.partial_uploads, &mut upload, &created, policy, body).await;
        self.end_if_final(&upload, received).await?;
        self.progress(upload, created).await
    }

    /// Finishes a complete upload, and describes how far it is.
    async fn progress(
        &self,
        upload: PartialUpload,
        created: Created,
    ) -> Result<Response, TusRejection> {
        let finished = if created.length == Some(upload.offset()) || upload.is_finished() {
            let finished =
                finish(&self.state, &self.partial_uploads, &self.owner, &upload, created).await;
            Some(self.end_if_final(&upload, finished).await?)
        } else {
            None
        };
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        let expires = httpdate::fmt_http_date(self.partial_uploads.expires(&upload));
        if let Ok(expires) = HeaderValue::try_from(expires) {
            headers.insert(names::UPLOAD_EXPIRES, expires);
        }
        let offset = finished.as_ref().map_or(upload.offset(), |finished| finished.length);
        headers.insert(names::UPLOAD_OFFSET, offset.into());
        if let Some(Finished { id, url, .. }) = finished {
            for (name, value) in [(names::MEDIA_ID, id), (header::CONTENT_LOCATION, url)] {
                if let Ok(value) = HeaderValue::try_from(value) {
                    headers.insert(name, value);
                }
            }
        }
        Ok(response)
    }

    /// Deletes an upload that can never be finished.
    async fn end_if_final<T>(
        &self,
        upload: &PartialUpload,
        outcome: Result<T, TusRejection>,
    ) -> Result<T, TusRejection> {
        if let Err(rejection) = &outcome
            && rejection.is_final()
        {
            self.partial_uploads.delete(upload).await?;
        }
        outcome
    }
}
