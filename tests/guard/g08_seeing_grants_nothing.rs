//! G8: Bob can see the id, the hash and the URLs of Ana's media, and gains no right to it.

use axum::{
    Json, Router,
    extract::{Path, Request},
    http::{StatusCode, header},
    routing::{MethodRouter, any},
};
use axum_extra::extract::{Form, Query};
use serde::Deserialize;
use tower_media::{
    Media, MediaIds, Owner, UnverifiedId, Upload, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm},
};

use super::support::{Answer, World, by, owner, send};

#[derive(Deserialize, MediaIds)]
struct Payload {
    id: UnverifiedId,
}

fn guarded<E, M>(world: &World) -> MethodRouter
where
    E: GuardedExtractor<(), M> + MediaIds,
    M: Send + Sync + 'static,
{
    let layer = VerifyMediaLayer::<E>::new(world.media.clone());
    any(|| async { StatusCode::NO_CONTENT }).layer(layer)
}

fn app(world: &World) -> Router {
    let routes = Router::new()
        .route("/json", guarded::<Json<Payload>, _>(world))
        .route("/path/{id}", guarded::<Path<UnverifiedId>, _>(world))
        .route("/query", guarded::<Query<Payload>, _>(world))
        .route("/form", guarded::<Form<Payload>, _>(world))
        .route("/multipart", guarded::<MultipartForm<Payload>, _>(world));
    world.app(routes)
}

/// Sends a text as an id to every guarded route.
async fn submit(world: &World, owner: &Owner, text: &str) -> Vec<Answer> {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let part = "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n";
    let requests = [
        ("/json".to_owned(), "application/json", format!("{{\"id\": \"{text}\"}}")),
        (format!("/path/{encoded}"), "text/plain", String::new()),
        (format!("/query?id={encoded}"), "text/plain", String::new()),
        ("/form".to_owned(), "application/x-www-form-urlencoded", format!("id={encoded}")),
        (
            "/multipart".to_owned(),
            "multipart/form-data; boundary=b",
            format!("{part}{text}\r\n--b--\r\n"),
        ),
    ];
    let mut answers = Vec::new();
    for (uri, content_type, body) in requests {
        let request = by(owner, Request::post(uri)).header(header::CONTENT_TYPE, content_type);
        answers.push(send(&app(world), request.body(body.into()).unwrap()).await);
    }
    answers
}

async fn upload(world: &World, owner: &Owner) -> Media {
    let upload = Upload::new("a letter").file_name("letter.txt").scope("me");
    world.media.upload(owner, upload).await.unwrap()
}

fn statuses(answers: &[Answer]) -> Vec<StatusCode> {
    answers.iter().map(|answer| answer.status).collect()
}

#[tokio::test]
async fn g08_no_visible_property_of_media_opens_it() {
    let world = World::new();
    let media = upload(&world, &world.ana).await;
    let (id, hash) = (media.id.to_string(), media.hash.to_string());
    assert_eq!(statuses(&submit(&world, &world.ana, &id).await), [StatusCode::NO_CONTENT; 5]);

    let tokens = [id, hash.clone(), format!("sha256:{hash}"), format!("sha256-{hash}")];
    for token in &tokens {
        assert_eq!(statuses(&submit(&world, &world.bob, token).await), [StatusCode::NOT_FOUND; 5]);
    }
    // Not for Ana either: a hash is not an id.
    for token in &tokens[1..] {
        assert_eq!(statuses(&submit(&world, &world.ana, token).await), [StatusCode::NOT_FOUND; 5]);
    }
}

#[tokio::test]
async fn g08_url_is_refused_like_any_invalid_id() {
    let world = World::new();
    let media = upload(&world, &world.ana).await;
    let url = media.urls.original;
    for url in [url.clone(), format!("https://example.org{url}?sig=1")] {
        for (answer, elsewhere) in submit(&world, &world.bob, &url)
            .await
            .into_iter()
            .zip(submit(&world, &world.bob, "/not/a/url/of/ours").await)
        {
            assert!(answer.status.is_client_error(), "{}", answer.status);
            assert_eq!(answer.status, elsewhere.status);
        }
    }
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g08_equal_bytes_open_only_the_owners_copy() {
    let world = World::new();
    let anas = upload(&world, &world.ana).await;
    let bobs = upload(&world, &world.bob).await;
    let (anas, bobs) = (anas.id.as_str(), bobs.id.as_str());
    for (owner, id, status) in [
        (&world.bob, bobs, StatusCode::NO_CONTENT),
        (&world.bob, anas, StatusCode::NOT_FOUND),
        (&world.ana, bobs, StatusCode::NOT_FOUND),
        (&owner("carol"), anas, StatusCode::NOT_FOUND),
    ] {
        assert_eq!(statuses(&submit(&world, owner, id).await), [status; 5]);
    }
}
