//! Problem details for HTTP APIs (RFC 9457): the body of a response that reports a failure.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::media::FailureReason;

/// Problem details (RFC 9457): the body of every refusal and error of this crate.
///
/// It is served as `application/problem+json` and is never stored by caches: whether an id is found
/// depends on who asks and when. A 429 and a 503 carry `Retry-After: 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Problem {
    /// A URI that names the kind of problem, such as `urn:problem:tower-media:media-not-found`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub kind: Cow<'static, str>,
    /// The kind of problem in words, equal for each occurrence.
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub title: Cow<'static, str>,
    /// The status of the response.
    #[serde(serialize_with = "status_code")]
    #[cfg_attr(feature = "utoipa", schema(value_type = u16))]
    pub status: StatusCode,
    /// What happened this time, and what to do about it.
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub detail: Cow<'static, str>,
    /// The ids that were not found, in the caller's spelling and order. JSON omits an empty list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "utoipa", schema(required = false))]
    pub missing: Vec<String>,
    /// The limit that the request exceeded, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The reason why renditions of the media cannot be made; absent for other problems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
}

fn status_code<S: serde::Serializer>(
    status: &StatusCode,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        slug: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind: format!("urn:problem:tower-media:{slug}").into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status,
            detail: detail.into(),
            missing: Vec::new(),
            limit: None,
            reason: None,
        }
    }

    pub(crate) fn with_missing<'a>(mut self, missing: impl Iterator<Item = &'a str>) -> Self {
        self.missing = missing.map(str::to_owned).collect();
        self
    }

    pub(crate) fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(crate) fn with_reason(mut self, reason: Option<FailureReason>) -> Self {
        self.reason = reason;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A problem is text and numbers, which always serialise.
        let body = serde_json::to_vec(&self).expect("a problem serialises");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // RFC 9110, section 15.5.5: a cache may store a 404 by default.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
