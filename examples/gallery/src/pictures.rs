//! What people do with pictures of theirs: list, share and remove them.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tower_media::{
    MediaState, Owner, Result, Scopes, UnverifiedId, VerifiedMedia,
    media::{ListOptions, OwnerView, Transform},
};

/// For how long a link opens at least, and how much longer it may.
const LINK: Duration = Duration::from_secs(10 * 60);
pub(crate) const LINK_WINDOW: Duration = Duration::from_secs(60);

/// Where a page of the list begins.
#[derive(Deserialize)]
pub(crate) struct From {
    after: Option<String>,
}

/// A page of the list, as the owner sees it: with what the camera wrote.
#[derive(Serialize)]
struct Owned<'a> {
    items: Vec<OwnerView<'a>>,
    next: Option<&'a str>,
}

/// Lists the caller's own. There is no id in the request, so there is nothing to guard.
pub(crate) async fn list(
    owner: Owner,
    media: MediaState,
    Query(from): Query<From>,
) -> Result<Response> {
    let mut options = ListOptions::new().with_scopes(Scopes::of([super::SCOPE])?);
    if let Some(after) = from.after {
        options = options.with_after(after);
    }
    let page = media.list(&owner, &options).await?;
    let items = page.items.iter().map(|item| item.for_owner()).collect();
    Ok(Json(Owned { items, next: page.next.as_deref() }).into_response())
}

/// A link for somebody who is not signed in.
#[derive(Serialize)]
pub(crate) struct Shared {
    url: String,
}

/// Makes a link to a version without metadata: it opens that and nothing else, and ends.
pub(crate) async fn share(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Json<Shared>> {
    let version = Transform::new().with_width(1200).with_height(1200);
    Ok(Json(Shared { url: media.signed_url(&owned[&id], version, LINK)? }))
}

pub(crate) async fn remove(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<StatusCode> {
    media.delete(owned.owner(), &owned[&id]).await?;
    Ok(StatusCode::NO_CONTENT)
}
