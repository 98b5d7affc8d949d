//! G8: a signed URL opens one rendition for its holder, and proves no ownership.

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, Request},
    http::StatusCode,
    routing::get,
};
use tower_media::{
    MediaIds, MediaState, Rendition, UnverifiedId, VerifyMediaLayer, media::Variant,
};

use super::support::{World, ana, anonymous, get as fetch, send, signed_in};

#[derive(serde::Deserialize, MediaIds)]
struct Post {
    picture: UnverifiedId,
}

fn guarded(media: &MediaState) -> Router {
    let by_path = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
    let by_query = VerifyMediaLayer::<Query<Post>>::new(media.clone());
    let ok = || async { StatusCode::NO_CONTENT };
    Router::new()
        .route("/pictures/{id}", get(ok).layer(by_path))
        .route("/posts", get(ok).layer(by_query))
}

#[tokio::test]
async fn g08_a_signed_url_opens_no_guarded_route() {
    let world = World::new();
    let id = world.picture().await;
    let app = signed_in(guarded(&world.media).merge(world.media.delivery_routes()));
    let hash = world.media.get(&id).await.unwrap().hash;
    let link = world.link(&id, Rendition::Original);
    let query = link.split_once('?').unwrap().1;
    let signature = query.rsplit_once('=').unwrap().1;

    assert_eq!(fetch(&app, anonymous(&link)).await.status, StatusCode::OK);
    let own = fetch(&app, ana(format!("/pictures/{id}?{query}"))).await;
    assert_eq!(own.status, StatusCode::NO_CONTENT);
    for uri in [
        format!("/pictures/{id}?{query}"),
        format!("/pictures/{signature}"),
        format!("/pictures/{hash}"),
        format!("/posts?picture={id}&{query}"),
        format!("/posts?picture={signature}"),
        format!("/posts?picture={hash}"),
        format!("/media/{id}/file"),
        format!("/media/{id}/file/thumb?{query}"),
        format!("/media/{signature}/file?{query}"),
        format!("/media/{hash}/file?{query}"),
    ] {
        let bob = Request::get(&uri).header("x-user", "bob").body(Body::empty()).unwrap();
        assert_eq!(send(&app, bob).await.status, StatusCode::NOT_FOUND, "{uri}");
    }
}

#[tokio::test]
async fn g08_a_signed_url_of_deleted_media_is_404() {
    let world = World::new();
    let id = world.picture().await;
    let (app, link) = (world.app(), world.link(&id, Variant::Thumbnail));
    assert!(world.media.delete(&world.ana, &id).await.unwrap());
    assert_eq!(fetch(&app, anonymous(&link)).await.status, StatusCode::NOT_FOUND);
}
