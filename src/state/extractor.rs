//! `MediaState` as an argument of a handler.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};

use super::MediaState;
use crate::problem::Problem;

impl<S: Sync> FromRequestParts<S> for MediaState {
    type Rejection = MissingMediaState;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingMediaState)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for MediaState {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// A handler took [`MediaState`], but no [`MediaState::layer`] put one into the request: 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`MediaState` was extracted, but is not in the request's extensions. Add `.layer(media.layer())` \
     to the router, after the routes that need it."
)]
#[non_exhaustive]
pub struct MissingMediaState;

impl IntoResponse for MissingMediaState {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "wrong-wiring", self.to_string())
            .into_response()
    }
}
