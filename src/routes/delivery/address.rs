//! What the path of a delivery names.

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

/// The media, and the name of a rendition where the path has one.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Address {
    #[serde(rename = "media_id")]
    pub(super) id: UnverifiedId,
    #[serde(default)]
    pub(super) rendition: Option<String>,
}

impl MediaIds for Address {
    const READS_PATH: bool = true;

    fn media_ids(&self, ids: &mut IdCollector) {
        ids.add(&self.id);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(address)) => Ok(address),
            // What is no id names nothing.
            Err(rejection) if rejection.status().is_client_error() => Err(no_such_media()),
            Err(rejection) => {
                let what = "the path of a delivery has other parameters than its route";
                Err(Error::new(ErrorKind::Internal, what).with_source(rejection))
            }
        }
    }
}

pub(super) fn no_such_media() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such media")
}
