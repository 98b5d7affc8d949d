//! All files of a form are stored, or none of them.

use axum::{Router, body::Body, http::StatusCode};
use serde_json::Value;
use tower_media::{
    MediaState,
    routes::{UploadPolicy, UploadRoutes},
    testkit::Fault,
};

use super::support::{Form, World, file, png, send, signed_in, text};

/// More than is spooled in memory.
const LARGE: usize = 600 << 10;

fn policy() -> UploadPolicy {
    UploadPolicy::images().scope("me").max_files(3).max_bytes(1 << 20)
}

fn app(media: &MediaState) -> Router {
    let routes = UploadRoutes::new(media.clone(), "/up", policy()).quota(2 << 20);
    signed_in(routes.all_or_none().into_router())
}

fn two() -> Form {
    Form::new().with(file("a.png", &png(LARGE))).with(file("b.png", &png(301)))
}

#[tokio::test]
async fn a_refused_form_stores_none_of_its_files() {
    let world = World::new();
    let app = app(&world.media);
    let whole = two().bytes();
    for (what, body, status) in [
        ("another type", two().with(file("c.txt", b"text")).bytes(), 415),
        ("too large", two().with(file("c.png", &png((1 << 20) + 1))).bytes(), 413),
        (
            "too many",
            two().with(file("c.png", &png(302))).with(file("d.png", &png(303))).bytes(),
            422,
        ),
        ("too many fields", (0..101).fold(two(), |form, _| form.with(text("a", "b"))).bytes(), 413),
        ("cut in the last file", whole.slice(..whole.len() - 100), 400),
        ("cut in the end", whole.slice(..whole.len() - 6), 400),
        (
            "the sum exceeds the quota",
            (0..3).fold(Form::new(), |form, n| form.with(file("a.png", &png(700_000 + n)))).bytes(),
            413,
        ),
    ] {
        let mut request = Form::new().by("ana");
        *request.body_mut() = Body::from(body);
        let answer = send(&app, request).await;
        assert_eq!(answer.status.as_u16(), status, "{what}");
        assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 0, "{what}");
    }
}

#[tokio::test]
async fn an_accepted_form_stores_all_of_its_files_in_order() {
    let world = World::new();
    let answer = send(&app(&world.media), two().by("ana")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let records: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    for (record, (name, size)) in records.iter().zip([("a.png", LARGE), ("b.png", 301)]) {
        assert_eq!((&record["originalName"], &record["size"]), (&name.into(), &size.into()));
        assert_eq!(record["mimeType"], "image/png");
    }
    assert_eq!(records.len(), 2);
    let without_files = send(&app(&world.media), Form::new().by("ana")).await;
    assert_eq!(without_files.json()["type"], "urn:problem:tower-media:no-file");
}

#[tokio::test]
async fn media_from_before_survives_a_refused_form() {
    let world = World::new();
    let id = world.store(&world.ana, png(301), "b.png").await;
    let app = app(&world.media);
    let refused = send(&app, two().with(file("c.txt", b"text")).by("ana")).await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(world.media.get(&id).await.is_ok());
}

#[tokio::test]
async fn a_failing_backend_is_reported_and_the_form_can_be_repeated() {
    let world = World::new();
    let app = app(&world.media);
    world.backend.set(Fault::Fail(tower_media::ErrorKind::Unavailable));
    assert_eq!(send(&app, two().by("ana")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.backend.set(Fault::None);
    assert_eq!(send(&app, two().by("ana")).await.status, StatusCode::CREATED);
    assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 2);
}
