//! `MediaState` as an argument of a handler.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};

use super::{MediaStateRejection, MismatchedMediaState, MissingMediaState, verified::mismatch};
use crate::state::MediaState;

/// Extracts the state that [`MediaState::layer`] inserted.
///
/// If a [`VerifyMediaLayer`](crate::VerifyMediaLayer) has verified the request with another state, the
/// response is 500: the ids of the proof have no meaning in this one (promise G19).
impl<S: Sync> FromRequestParts<S> for MediaState {
    type Rejection = MediaStateRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let media = parts.extensions.get::<Self>().ok_or(MissingMediaState)?;
        mismatch(&parts.extensions).map_or_else(|| Ok(media.clone()), |other| Err(other.into()))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for MediaState {
    type Rejection = MismatchedMediaState;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        let media = parts.extensions.get::<Self>().cloned();
        mismatch(&parts.extensions).map_or(Ok(media), Err)
    }
}
