//! Receives the parts of an upload, and stores the complete file.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use http_body_util::BodyExt as _;

use super::{
    partial_uploads::{Created, Finished, PartialUpload, PartialUploads},
    rejection::{TusRejection, body_rejection},
};
use crate::{
    owner::Owner,
    routes::upload::{
        UploadPolicy, UploadRejection, observe, sniff::is_refused, state::UploadState,
        uploads::checked_upload,
    },
};

/// The size of a stored part in bytes. A killed process loses at most one part of an upload.
const PART_SIZE: usize = 2 << 20;

/// Appends a body to an upload. The bytes that arrived before a failure are kept, so that the client continues
/// behind them.
pub(super) async fn receive(
    partial_uploads: &PartialUploads,
    upload: &mut PartialUpload,
    created: &Created,
    policy: &UploadPolicy,
    mut body: Body,
) -> Result<(), TusRejection> {
    let mut buffer = BytesMut::new();
    let store = async |upload: &mut PartialUpload, part: Bytes| {
        let hint = created.content_type.as_deref();
        if upload.offset() == 0 && is_refused(&part, hint, policy) {
            return Err(UploadRejection::UnsupportedType(policy.types.clone()).into());
        }
        partial_uploads.append(upload, part).await
    };
    let received = loop {
        let chunk = match body.frame().await {
            None => break Ok(()),
            Some(Err(error)) => break Err(body_rejection(error)),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let end = upload.offset() + (buffer.len() + chunk.len()) as u64;
        match created.length {
            Some(length) if end > length => break Err(TusRejection::TooLong(length)),
            None if end > policy.max_bytes => {
                break Err(UploadRejection::TooLarge(policy.max_bytes).into());
            }
            _ => buffer.extend_from_slice(&chunk),
        }
        if buffer.len() >= PART_SIZE {
            store(upload, buffer.split().freeze()).await?;
        }
    };
    if !buffer.is_empty() {
        store(upload, buffer.freeze()).await?;
    }
    received
}

/// Stores the complete file as any upload is stored. If a request before has done so, the outcome is the same.
pub(super) async fn finish<S>(
    state: &UploadState<S>,
    partial_uploads: &PartialUploads,
    owner: &Owner,
    upload: &PartialUpload,
    created: Created,
) -> Result<Finished, TusRejection> {
    if let Some(finished) = partial_uploads.finished(upload).await? {
        return Ok(finished);
    }
    check_quota(state, owner, upload.offset()).await?;
    let Created { file_name, content_type, .. } = created;
    let file = partial_uploads.content(upload).map_err(UploadRejection::from);
    let checked = checked_upload(file, file_name, content_type, &state.policy).await?;
    let media = state.media.upload(owner, checked).await?;
    let finished =
        Finished { id: media.id.to_string(), url: media.urls.original, length: upload.offset() };
    partial_uploads.finish(upload, &finished).await?;
    observe::stored();
    Ok(finished)
}

/// Refuses `bytes` more than the quota of the owner allows.
pub(super) async fn check_quota<S>(
    state: &UploadState<S>,
    owner: &Owner,
    bytes: u64,
) -> Result<(), TusRejection> {
    if let Some(quota) = state.quota {
        let used = state.media.stats(owner).await?.bytes;
        if used.saturating_add(bytes) > quota {
            return Err(UploadRejection::QuotaExceeded.into());
        }
    }
    Ok(())
}
