//! The response to an authorized request.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use headers::{CacheControl, HeaderMapExt as _};

use super::{
    conditions::{Conditions, UnmetCondition},
    config::InlineTypes,
    observe,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{Download, DownloadOptions, FailureReason, Rendition, headers_of},
    problem::Problem,
    state::MediaState,
};

/// The reason why the client may read the media.
#[derive(Debug, Clone, Copy)]
pub(in crate::routes) enum Access {
    /// The client is the owner.
    Owner,
    /// The URL is signed, and valid for `expires_in` longer.
    SignedUrl { expires_in: Duration, attachment: bool },
}

/// Returns the reason why a rendition of these bytes can never be made; `None` for other errors.
pub(in crate::routes) fn permanent_rendition_failure(error: &Error) -> Option<FailureReason> {
    match error.kind() {
        ErrorKind::Unsupported => Some(FailureReason::Unsupported),
        ErrorKind::TooLarge => Some(FailureReason::TooLarge),
        _ => error.failure_reason(),
    }
}

/// An authorized request for one rendition.
pub(in crate::routes) struct RenditionRequest<'a> {
    pub(in crate::routes) id: &'a MediaId,
    pub(in crate::routes) rendition: Rendition,
    pub(in crate::routes) access: Access,
    pub(in crate::routes) inline_types: Option<&'a InlineTypes>,
    /// How long the URL of a redirect is valid; `None` if the bytes are always delivered from here.
    pub(in crate::routes) redirect: Option<Duration>,
}

impl RenditionRequest<'_> {
    /// Responds with the rendition or a problem; never with the original instead (promise P5).
    pub(super) async fn respond(
        self,
        media: &MediaState,
        method: &Method,
        headers: &HeaderMap,
    ) -> Response {
        let conditions = Conditions::of(method, headers);
        match self.deliver(media, &conditions).await {
            Ok(response) => response,
            Err(error) => self.problem_response(error),
        }
    }

    /// Responds with the rendition, with 304 or with 412. The caller turns an error into its own format.
    pub(in crate::routes) async fn deliver(
        &self,
        media: &MediaState,
        conditions: &Conditions,
    ) -> Result<Response> {
        let download = match self.download(media, conditions).await {
            // Conditions precede the range and refer to the whole file (RFC 9110, section 13.2.2).
            Err(error)
                if error.kind() == ErrorKind::RangeNotSatisfiable && conditions.has_any() =>
            {
                let whole = media.download(self.id, self.rendition).await?;
                match conditions.check(&whole) {
                    Ok(()) => return Err(error),
                    Err(unmet) => return Ok(self.unmet(unmet, whole)),
                }
            }
            download => download?,
        };
        if let Err(unmet) = conditions.check(&download) {
            return Ok(self.unmet(unmet, download));
        }
        if download.redirect().is_some() {
            observe::delivered("redirect");
            return Ok(download.into_response());
        }
        observe::delivered(if download.part().is_some() { "part" } else { "whole" });
        let mut response = self.with_disposition(download).into_response();
        self.set_caching(response.headers_mut());
        Ok(response)
    }

    async fn download(&self, media: &MediaState, conditions: &Conditions) -> Result<Download> {
        let options = DownloadOptions::new(self.rendition);
        if let Some(expires_in) = self.redirect
            && conditions.can_redirect()
        {
            let options = match self.access {
                Access::Owner => options.with_redirect(expires_in),
                // Not longer than the signed URL itself (promise P14).
                Access::SignedUrl { expires_in: link, attachment: false } => {
                    options.with_redirect(expires_in.min(link))
                }
                Access::SignedUrl { expires_in: link, attachment: true } => {
                    options.with_redirect(expires_in.min(link)).as_attachment()
                }
            };
            return media
                .download(
                    self.id,
                    conditions.range().map_or(options, |range| options.with_range(range)),
                )
                .await;
        }
        let ranged = conditions.range().map_or(options, |range| options.with_range(range));
        let download = media.download(self.id, ranged).await?;
        let Some(range) = conditions.range_of(&download) else { return Ok(download) };
        // The file may change between the two downloads: the range applies only to the validated one.
        let part = media.download(self.id, options.with_range(range)).await?;
        Ok(if part.etag() == download.etag() { part } else { download })
    }

    /// Applies the disposition of the signed URL, or of the routes.
    fn with_disposition(&self, download: Download) -> Download {
        match self.access {
            Access::SignedUrl { attachment: true, .. } => download.as_attachment(),
            _ if self.inline_types.is_some_and(|types| types.contains(download.content_type())) => {
                download.as_inline()
            }
            _ => download,
        }
    }

    fn unmet(&self, unmet: UnmetCondition, download: Download) -> Response {
        if unmet == UnmetCondition::PreconditionFailed {
            observe::delivered("precondition_failed");
            let detail = "The media does not match the preconditions of the request.";
            let failed = StatusCode::PRECONDITION_FAILED;
            return Problem::new(failed, "media-precondition-failed", detail).into_response();
        }
        observe::delivered("not_modified");
        let mut headers = headers_of(&self.with_disposition(download));
        self.set_caching(&mut headers);
        (StatusCode::NOT_MODIFIED, headers).into_response()
    }

    fn set_caching(&self, headers: &mut HeaderMap) {
        if let Access::SignedUrl { expires_in, .. } = self.access {
            headers.typed_insert(CacheControl::new().with_public().with_max_age(expires_in));
        }
    }

    fn problem_response(&self, error: Error) -> Response {
        if self.rendition != Rendition::Original
            && let Some(reason) = permanent_rendition_failure(&error)
        {
            observe::delivered("no_rendition");
            let detail = match reason {
                FailureReason::Unreadable => "the file is damaged",
                FailureReason::TooLarge => "the image is larger than the server processes",
                FailureReason::TimedOut => "processing the image takes too long",
                FailureReason::Unsupported => "the media is not an image that can be decoded",
            };
            let detail = format!("This rendition cannot be made: {detail}.");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let problem = Problem::new(status, "no-such-rendition", detail);
            return problem.with_reason(Some(reason)).into_response();
        }
        observe::delivered(match error.kind() {
            ErrorKind::NotFound => "not_found",
            ErrorKind::RangeNotSatisfiable => "range_not_satisfiable",
            _ => "failed",
        });
        let mut response = error.into_response();
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        response
    }
}
