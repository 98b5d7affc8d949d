//! The answer to a request that has been let through.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use headers::{CacheControl, HeaderMapExt as _};

use super::{
    conditions::{Conditions, Unmet},
    observe,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{Download, DownloadOptions, Rendition, headers_of},
    problem::Problem,
    state::MediaState,
};

/// Why somebody may have the bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::routes) enum Access {
    /// They are theirs.
    Owner,
    /// They hold a URL that goes on to open them for so long.
    Link { left: Duration, attachment: bool },
}

/// Whether an error says that there never will be such a rendition of these bytes.
pub(in crate::routes) fn cannot_be_made(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unsupported | ErrorKind::Failed | ErrorKind::TooLarge)
}

/// What was asked for, by one who may have it.
pub(in crate::routes) struct Order<'a> {
    pub(in crate::routes) id: &'a MediaId,
    pub(in crate::routes) rendition: Rendition,
    pub(in crate::routes) access: Access,
}

impl Order<'_> {
    /// Delivers, or says why not. Of no rendition is the original a substitute (promise P5).
    pub(super) async fn answer(
        self,
        media: &MediaState,
        method: &Method,
        headers: &HeaderMap,
    ) -> Response {
        let conditions = Conditions::of(method, headers);
        match self.deliver(media, &conditions).await {
            Ok(response) => response,
            Err(error) => self.refuse(error),
        }
    }

    /// Delivers, or fails with what the caller is to tell.
    pub(in crate::routes) async fn deliver(
        &self,
        media: &MediaState,
        conditions: &Conditions,
    ) -> Result<Response> {
        let download = match self.download(media, conditions).await {
            // A condition goes before the range, and is about the whole.
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
        observe::delivered(if download.part().is_some() { "part" } else { "whole" });
        let mut response = self.dressed(download).into_response();
        self.set_caching(response.headers_mut());
        Ok(response)
    }

    async fn download(&self, media: &MediaState, conditions: &Conditions) -> Result<Download> {
        let options = DownloadOptions::new(self.rendition);
        let ranged = conditions.range().map_or(options, |range| options.with_range(range));
        let download = media.download(self.id, ranged).await?;
        let Some(range) = conditions.range_of(&download) else { return Ok(download) };
        // The range counts only for the very bytes that the condition was about.
        let part = media.download(self.id, options.with_range(range)).await?;
        Ok(if part.etag() == download.etag() { part } else { download })
    }

    /// The download as this access shows it.
    fn dressed(&self, download: Download) -> Download {
        match self.access {
            Access::Link { attachment: true, .. } => download.as_attachment(),
            _ => download,
        }
    }

    fn unmet(&self, unmet: Unmet, download: Download) -> Response {
        if unmet == Unmet::Failed {
            observe::delivered("precondition_failed");
            let detail = "The media is not what the request takes it for.";
            let failed = StatusCode::PRECONDITION_FAILED;
            return Problem::new(failed, "media-precondition-failed", detail).into_response();
        }
        observe::delivered("not_modified");
        let mut headers = headers_of(&self.dressed(download));
        self.set_caching(&mut headers);
        (StatusCode::NOT_MODIFIED, headers).into_response()
    }

    fn set_caching(&self, headers: &mut HeaderMap) {
        if let Access::Link { left, .. } = self.access {
            headers.typed_insert(CacheControl::new().with_public().with_max_age(left));
        }
    }

    fn refuse(&self, error: Error) -> Response {
        if self.rendition != Rendition::Original && cannot_be_made(error.kind()) {
            observe::delivered("no_rendition");
            let detail = "There is no such rendition of this media: it is not a picture that it \
                          could be made of.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Problem::new(status, "no-such-rendition", detail).into_response();
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
