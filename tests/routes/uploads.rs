//! The responses of an upload route.

use axum::{
    Json, Router,
    http::{StatusCode, header},
    routing::post,
};
use serde_json::Value;
use tower_media::{
    Media, MediaState, Owner,
    media::ListOptions,
    routes::{UploadPolicy, UploadRejection, UploadRoutes, Uploads},
    testkit::Fault,
};

use super::support::{Form, World, ana, file, get, png, send, signed_in, text};

const GPS: &[u8] = include_bytes!("../fixtures/images/exif-gps.jpg");

fn policy() -> UploadPolicy {
    UploadPolicy::images().scope("me")
}

fn app(media: &MediaState, policy: UploadPolicy) -> Router {
    signed_in(media.upload_routes("/up", policy).merge(media.delivery_routes()))
}

async fn count(media: &MediaState, owner: &Owner) -> u64 {
    media.stats(owner).await.unwrap().count
}

#[tokio::test]
async fn an_image_is_stored_and_returned_in_its_owners_view() {
    let world = World::new();
    let app = app(&world.media, policy());
    let answer = send(&app, Form::new().with(file("cat.jpg", GPS)).by("ana")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let record = answer.json();
    assert_eq!(record["mimeType"], "image/jpeg");
    assert_eq!(record["originalName"], "cat.jpg");
    assert_eq!(record["exif"]["gpsLatitude"], "47.6603");
    let location = answer.header("location");
    assert_eq!(location, record["urls"]["original"]);
    assert_eq!(get(&app, ana(location)).await.body, GPS);
    let page = world.media.list(&world.ana, &ListOptions::new()).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn parts_come_in_any_order_and_only_files_count() {
    let world = World::new();
    let app = app(&world.media, policy().max_files(3));
    let form = Form::new()
        .with(text("title", "cats"))
        .with(file("a.png", &png(200)))
        .with(text("userId", "bob"))
        .with(file("", b""))
        .with(file("b.jpg", GPS).named("other"))
        .with(text("scope", "elsewhere"));
    let answer = send(&app, form.by("ana")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let records: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    let names: Vec<_> = records.iter().map(|record| record["originalName"].clone()).collect();
    assert_eq!(names, ["a.png", "b.jpg"]);
    assert_eq!(records[1]["exif"]["gpsLatitude"], "47.6603");
    let one = send(&app, Form::new().with(file("c.png", &png(202))).by("ana")).await;
    assert_eq!(one.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn p04_magic_bytes_decide_the_type_not_name_or_declared_type() {
    let world = World::new();
    let app = app(&world.media, policy());
    for (bytes, name, kind) in [
        (&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], "cat.png", "image/png"),
        (b"<html><script>", "cat.jpg", "image/jpeg"),
        (b"%PDF-1.7\n%", "cat.png", "image/png"),
        (b"hello", "hello.png", "image/png"),
        (b"", "empty.png", "image/png"),
        (b"BM<html>", "cat.bmp", "image/bmp"),
    ] {
        let form = Form::new().with(file(name, bytes).of_type(kind));
        let answer = send(&app, form.by("ana")).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}");
        assert_eq!(answer.json()["type"], "urn:problem:tower-media:unsupported-type", "{name}");
    }
    assert_eq!(count(&world.media, &world.ana).await, 0);
    let disguised = Form::new().with(file("page.html", &png(99)).of_type("text/html"));
    assert_eq!(send(&app, disguised.by("ana")).await.json()["mimeType"], "image/png");

    let documents = UploadPolicy::of_types(["application/pdf", "text/plain"]).scope("me");
    let app = self::app(&world.media, documents);
    for (bytes, kind, status) in [
        (&b"%PDF-1.7\n%"[..], "text/html", StatusCode::CREATED),
        (b"hello", "text/plain; charset=utf-8", StatusCode::CREATED),
        (b"hello", "text/html", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (&png(99), "text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let form = Form::new().with(file("a", bytes).of_type(kind));
        assert_eq!(send(&app, form.by("ana")).await.status, status, "{kind}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_a_front_end_can_show() {
    let world = World::new();
    let app = app(&world.media, policy().max_bytes(1000));
    let broken = {
        let mut request = Form::new().with(file("a.png", &png(100))).by("ana");
        *request.body_mut() = "--boundary\r\nContent-Disposition: form-data; na".into();
        request
    };
    let not_a_form = {
        let mut request = Form::new().by("ana");
        request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        request
    };
    let without_boundary = {
        let mut request = Form::new().by("ana");
        request.headers_mut().insert(header::CONTENT_TYPE, "multipart/form-data".parse().unwrap());
        request
    };
    for (request, status, slug) in [
        (broken, 400, "malformed-form"),
        (without_boundary, 400, "malformed-form"),
        (Form::new().with(file("a.png", &png(100))).unsigned(), 401, "not-signed-in"),
        (Form::new().with(file("a.png", &png(1001))).by("ana"), 413, "file-too-large"),
        (not_a_form, 415, "not-a-form"),
        (Form::new().with(file("a.txt", b"hello")).by("ana"), 415, "unsupported-type"),
        (Form::new().with(text("file", "hello")).by("ana"), 422, "no-file"),
        (Form::new().by("ana"), 422, "no-file"),
        (
            Form::new().with(file("a.png", &png(100))).with(file("b.png", &png(101))).by("ana"),
            422,
            "too-many-files",
        ),
    ] {
        let answer = send(&app, request).await;
        assert_eq!(answer.status, StatusCode::from_u16(status).unwrap(), "{slug}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{slug}");
        assert_eq!(answer.json()["type"], format!("urn:problem:tower-media:{slug}"));
        assert!(answer.json()["detail"].as_str().unwrap().ends_with('.'), "{slug}");
    }
    world.backend.set(Fault::Fail(tower_media::ErrorKind::Unavailable));
    let answer = send(&app, Form::new().with(file("a.png", &png(100))).by("ana")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_picture_has_no_more_pixels_than_the_policy_allows() {
    let world = World::new();
    let wide: &[u8] = include_bytes!("../fixtures/images/plain-1000x700.jpg");
    let untold: &[u8] = include_bytes!("../fixtures/images/truncated-header.jpg");
    let app = self::app(&world.media, policy().max_dimensions(1000, 700));
    let fits = send(&app, Form::new().with(file("a.jpg", wide)).by("ana")).await;
    assert_eq!(fits.status, StatusCode::CREATED);
    for most in [(999, 700), (1000, 699)] {
        let app = self::app(&world.media, policy().max_dimensions(most.0, most.1));
        let answer = send(&app, Form::new().with(file("a.jpg", wide)).by("ana")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.json()["type"], "urn:problem:tower-media:too-many-pixels");
    }
    let answer = send(&app, Form::new().with(file("a.jpg", untold)).by("ana")).await;
    assert_eq!(answer.json()["type"], "urn:problem:tower-media:unmeasurable-picture");
}

#[tokio::test]
async fn an_owner_stores_no_more_than_the_quota() {
    let world = World::new();
    let routes = UploadRoutes::new(world.media.clone(), "/up", policy().max_files(9)).quota(500);
    let app = signed_in(routes.into_router());
    let form = |length| Form::new().with(file("a.png", &png(length)));
    assert_eq!(send(&app, form(300).by("ana")).await.status, StatusCode::CREATED);
    let over = send(&app, form(201).by("ana")).await;
    assert_eq!(over.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(over.json()["type"], "urn:problem:tower-media:quota-exceeded");
    assert_eq!(send(&app, form(201).by("bob")).await.status, StatusCode::CREATED);
    let several = form(150).with(file("b.png", &png(151)));
    assert_eq!(send(&app, several.by("ana")).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(count(&world.media, &world.ana).await, 2);
}

#[tokio::test]
async fn a_handler_can_take_the_files_itself() {
    async fn attach(
        media: MediaState,
        mut uploads: Uploads,
    ) -> Result<Json<Media>, UploadRejection> {
        let upload = uploads.next().await?.ok_or(UploadRejection::NoFile)?;
        Ok(Json(media.upload(uploads.owner(), upload.file_name("mine.png")).await?))
    }
    let world = World::new();
    let layered = Router::new()
        .route("/up", post(attach).layer(policy().max_bytes(500).layer()))
        .layer(world.media.layer());
    let app = signed_in(layered);
    let form = |length| Form::new().with(file("a.png", &png(length)));
    let stored = send(&app, form(400).by("ana")).await;
    assert_eq!(stored.json()["originalName"], "mine.png");
    assert_eq!(count(&world.media, &world.ana).await, 1);
    let refused = send(&app, form(501).by("ana")).await;
    assert_eq!(refused.json()["type"], "urn:problem:tower-media:file-too-large");
    assert_eq!(send(&app, form(400).unsigned()).await.status, StatusCode::UNAUTHORIZED);

    // G2: wrong wiring says so.
    let bare = Router::new().route("/up", post(attach)).layer(world.media.layer());
    let answer = send(&signed_in(bare), form(400).by("ana")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.json()["detail"].as_str().unwrap().contains("`.layer(policy.layer())`"));
}

#[tokio::test]
async fn g02_a_policy_without_a_scope_answers_500_and_says_so() {
    let world = World::new();
    for policy in [UploadPolicy::images(), UploadPolicy::images().scope("a,b")] {
        let answer = send(&app(&world.media, policy), Form::new().by("ana")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.json()["detail"].as_str().unwrap().contains("`UploadPolicy`"));
    }
}

#[tokio::test]
async fn all_files_of_a_form_are_stored_or_none() {
    let world = World::new();
    let routes = |policy| UploadRoutes::new(world.media.clone(), "/up", policy).quota(1_000_000);
    let app = signed_in(routes(policy().max_files(3)).all_or_none().into_router());
    let form = |last: &[u8]| {
        Form::new()
            .with(file("a.png", &png(200)))
            .with(file("b.png", &png(400_000)))
            .with(file("c", last))
    };
    let refused = send(&app, form(b"no image").by("ana")).await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(count(&world.media, &world.ana).await, 0);
    // The files of one form share the quota.
    let refused = send(&app, form(&png(700_000)).by("ana")).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(count(&world.media, &world.ana).await, 0);
    let stored = send(&app, form(&png(500_000)).by("ana")).await;
    assert_eq!(stored.status, StatusCode::CREATED);
    let sizes: Vec<_> =
        stored.json().as_array().unwrap().iter().map(|m| m["size"].clone()).collect();
    assert_eq!(sizes, [200, 400_000, 500_000]);
    // Without the option, files before a refused one stay.
    let app = signed_in(routes(policy().max_files(3)).into_router());
    let kept = Form::new().with(file("d.png", &png(300))).with(file("c", b"no image"));
    assert_eq!(send(&app, kept.by("ana")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(count(&world.media, &world.ana).await, 4);
}
