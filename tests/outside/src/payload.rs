//! Payloads, with `MediaIds` derived and by hand, and the application's own extractors.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    http::{StatusCode, request::Parts},
};
use serde::Deserialize;
use tower_media::{MediaIds, UnverifiedId, extract::IdCollector};

#[derive(Deserialize, MediaIds)]
pub struct Post {
    pub text: String,
    pub cover: Option<UnverifiedId>,
    #[serde(default)]
    pub blocks: Vec<Block>,
    #[serde(default)]
    pub translations: BTreeMap<String, Post>,
    #[serde(default)]
    #[media(skip)]
    pub extra: serde_json::Value,
}

#[derive(Deserialize, MediaIds)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    Paragraph { text: String },
    Picture { id: UnverifiedId, crop: Option<Crop> },
    Quote { of: Box<Block> },
}

/// Implements `MediaIds` by hand.
#[derive(Deserialize)]
pub struct Crop {
    pub mask: UnverifiedId,
    pub rectangle: [u32; 4],
}

impl MediaIds for Crop {
    fn media_ids(&self, ids: &mut IdCollector) {
        ids.add(&self.mask);
    }
}

/// A generic payload.
#[derive(Deserialize, MediaIds)]
pub struct Envelope<T> {
    pub version: u8,
    pub content: T,
}

/// An extractor of the application: text with one id in each line.
#[derive(Debug)]
pub struct Lines(pub Vec<UnverifiedId>);

impl<S: Send + Sync> FromRequest<S> for Lines {
    type Rejection = (StatusCode, String);

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let refused = |status, text: &dyn ToString| (status, text.to_string());
        let text = String::from_request(request, state)
            .await
            .map_err(|error| refused(error.status(), &error))?;
        let ids = text.lines().map(UnverifiedId::parse).collect::<Result<_, _>>();
        ids.map(Self).map_err(|error| refused(StatusCode::UNPROCESSABLE_ENTITY, &error))
    }
}

impl MediaIds for Lines {
    fn media_ids(&self, ids: &mut IdCollector) {
        self.0.media_ids(ids);
    }
}

/// An extractor of the application: the greatest length of a text, from the state.
#[derive(Clone, Copy, MediaIds)]
pub struct MaxText(pub usize);

impl<S> FromRequestParts<S> for MaxText
where
    S: Send + Sync,
    Self: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::from_ref(state))
    }
}
