//! Listing, sharing and deleting one's own pictures.

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

/// The minimum lifetime of a link. `LINK_WINDOW` is added at most.
const LINK: Duration = Duration::from_secs(10 * 60);
pub(crate) const LINK_WINDOW: Duration = Duration::from_secs(60);

/// The page token of the list.
#[derive(Deserialize)]
pub(crate) struct From {
    after: Option<String>,
}

/// A page of the list in the owner's view, which includes EXIF.
#[derive(Serialize)]
struct Owned<'a> {
    items: Vec<OwnerView<'a>>,
    next: Option<&'a str>,
}

/// Lists the caller's pictures. The request carries no id, so the route has no guard.
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

/// A link that works without authentication.
#[derive(Serialize)]
pub(crate) struct Shared {
    url: String,
}

/// Makes a link to a rendition without metadata. The link opens only that rendition, until it expires.
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
