//! The path parameters of the delivery routes.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::Deserialize;

use crate::{
    error::{Error, ErrorKind},
    extract::MediaIds,
    id::UnverifiedId,
    ownership::IdCollector,
};

/// A media id, and the name of a rendition if the path has one.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct MediaPath {
    #[serde(rename = "media_id")]
    pub(super) id: UnverifiedId,
    #[serde(default)]
    pub(super) rendition: Option<String>,
}

impl MediaIds for MediaPath {
    const READS_PATH: bool = true;

    fn media_ids(&self, ids: &mut IdCollector) {
        ids.add(&self.id);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MediaPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(path)) => Ok(path),
            // An invalid id is answered like an unknown one.
            Err(rejection) if rejection.status().is_client_error() => Err(media_not_found()),
            Err(rejection) => {
                let what = "the path parameters of a delivery route do not match its handler";
                Err(Error::new(ErrorKind::Internal, what).with_source(rejection))
            }
        }
    }
}

pub(super) fn media_not_found() -> Error {
    Error::new(ErrorKind::NotFound, "the media was not found")
}
