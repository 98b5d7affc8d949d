//! The routes.

use axum::{
    Json, Router,
    extract::{FromRef, Path, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_media::{
    Media, MediaIds, MediaState, OwnedMedia, Rendition, Result, UnverifiedId, VerifiedMedia,
    VerifyMediaLayer,
    extract::{GuardedExtractor, VerifyMediaRejection},
};

use crate::{
    auth::{Session, Tokens},
    payload::{Block, Envelope, Lines, MaxText, Post},
};

/// The state of the application.
#[derive(Clone)]
pub struct AppState {
    pub media: MediaState,
    pub tokens: Tokens,
    pub max_text: MaxText,
}

impl FromRef<AppState> for MediaState {
    fn from_ref(state: &AppState) -> Self {
        state.media.clone()
    }
}

impl FromRef<AppState> for Tokens {
    fn from_ref(state: &AppState) -> Self {
        state.tokens.clone()
    }
}

impl FromRef<AppState> for MaxText {
    fn from_ref(state: &AppState) -> Self {
        state.max_text
    }
}

/// The result of a post.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    pub cover: Option<String>,
    pub pictures: Vec<String>,
    pub bytes: usize,
}

/// The parameters of a picture in an album.
#[derive(Deserialize, MediaIds)]
pub struct Place {
    pub album: String,
    pub id: UnverifiedId,
}

#[derive(Deserialize, MediaIds)]
pub struct Comparison {
    pub with: Option<UnverifiedId>,
}

pub async fn publish(
    VerifiedMedia((MaxText(max), Json(letter)), owned): VerifiedMedia<(
        MaxText,
        Json<Envelope<Post>>,
    )>,
    State(media): State<MediaState>,
) -> Result<Response> {
    let post = letter.content;
    if post.text.len() > max {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    }
    let cover = post.cover.as_ref().map(|id| media.urls(&owned[id]).original);
    let mut pictures = Vec::new();
    for block in &post.blocks {
        if let Block::Picture { id, crop: _ } = block {
            pictures.push(media.urls(&owned[id]).original);
        }
    }
    let bytes = media.download_all(owned.ids(), Rendition::Original).await?;
    let bytes = bytes.iter().map(|picture| picture.bytes.len()).sum();
    Ok(Json(Published { cover, pictures, bytes }).into_response())
}

async fn show(
    VerifiedMedia((Path(place), Query(comparison)), owned): VerifiedMedia<(
        Path<Place>,
        Query<Comparison>,
    )>,
    media: MediaState,
) -> Result<Json<Vec<Media>>> {
    let mut shown = vec![media.get(&owned[&place.id]).await?];
    if let Some(other) = &comparison.with {
        shown.push(media.get(&owned[other]).await?);
    }
    Ok(Json(shown))
}

async fn remove_all(
    VerifiedMedia(Lines(ids), owned): VerifiedMedia<Lines>,
    media: MediaState,
) -> Result<String> {
    for id in ids.iter().filter_map(|id| owned.get(id)) {
        media.delete(owned.owner(), id).await?;
    }
    Ok(format!("{} of {}", owned.ids().len(), ids.len()))
}

async fn import(VerifiedMedia(Json(_), owned): VerifiedMedia<Json<Value>>) -> String {
    names(&owned)
}

pub fn names(owned: &OwnedMedia) -> String {
    owned.ids().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn in_html(rejection: VerifyMediaRejection) -> Response {
    match &rejection {
        VerifyMediaRejection::MediaNotOwned(not_owned) => {
            let text = not_owned.missing().collect::<Vec<_>>().join(", ");
            (StatusCode::FORBIDDEN, Html(format!("<p>Not yours: {text}</p>"))).into_response()
        }
        _ => rejection.into_response(),
    }
}

/// A guard of any extractor, for the user of the session.
fn guard_of<E, M>((media, state): (MediaState, AppState)) -> VerifyMediaLayer<E, AppState>
where
    E: GuardedExtractor<AppState, M> + MediaIds,
    M: 'static,
{
    VerifyMediaLayer::new_with_state(media, state).owner_from::<Session>(|session| session.owner())
}

pub fn routes(state: AppState) -> Router {
    let with_state = || (state.media.clone(), state.clone());

    let (media, app) = with_state();
    let published =
        VerifyMediaLayer::<(MaxText, Json<Envelope<Post>>), _>::new_with_state(media, app)
            .owner_from::<Session>(|session| session.owner())
            .scopes(["post", "me"])
            .id_count(0..=20);
    let shown = guard_of::<(Path<Place>, Query<Comparison>), _>(with_state());
    let removed = guard_of::<Lines, _>(with_state()).bypass_cache().on_reject(in_html);
    let (media, app) = with_state();
    let imported = VerifyMediaLayer::with_ids_and_state(media, app, |Json(body): &Json<Value>| {
        let lists = ["references", "masks"].map(|key| body[key].as_array());
        let ids = lists.into_iter().flatten().flatten();
        ids.map(|id| UnverifiedId::parse(id.as_str().unwrap_or_default())).collect()
    })
    .owner_from::<Session>(|session| session.owner());

    Router::new()
        .route("/posts", post(publish).layer(published))
        .route("/albums/{album}/{id}", get(show).layer(shown))
        .route("/remove", post(remove_all).layer(removed))
        .route("/import", post(import).layer(imported))
        .layer(state.media.layer())
        .with_state(state)
}
