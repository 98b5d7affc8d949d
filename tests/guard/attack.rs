//! Regression tests for attacks on this crate, successful and unsuccessful ones.

use std::{convert::Infallible, future::ready, task::Poll};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request},
    handler::Handler,
    http::{StatusCode, header},
    middleware::map_request,
    routing::{self, post},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;
use tower_media::{
    InMemory, MediaId, MediaIds, MediaState, Ownership, OwnershipQuestion, Result, UnverifiedId,
    VerifiedMedia, VerifyMediaLayer, backend::OwnershipStatus, extract::MultipartForm,
};

use super::{
    log::Log,
    support::{World, by, get, post_json, send},
};

#[derive(Debug, Deserialize, MediaIds)]
struct Collage {
    #[serde(default)]
    references: Vec<UnverifiedId>,
}

type Form = VerifiedMedia<MultipartForm<Collage>>;

fn form_app<H: Handler<T, ()>, T: 'static>(world: &World, handler: H) -> Router {
    let layer =
        VerifyMediaLayer::<MultipartForm<Collage>>::new(world.media.clone()).id_count(0..=8);
    world.app(Router::new().route("/", post(handler).layer(layer)))
}

const END: &str = "--b--\r\n";

fn part(disposition: &str, content: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
}

fn file(name: &str, content: &str) -> String {
    part(&format!("name=\"{name}\"; filename=\"{name}.txt\""), content)
}

fn form(world: &World, boundary: &str, body: impl Into<Body>) -> Request {
    by(&world.ana, Request::post("/"))
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
        .body(body.into())
        .unwrap()
}

/// A body in small chunks that is pending at every other poll.
fn in_fits(body: &str) -> Body {
    let pieces: Vec<_> = body.as_bytes().chunks(1_000).map(Bytes::copy_from_slice).collect();
    let (mut pieces, mut ready) = (pieces.into_iter(), false);
    Body::from_stream(stream::poll_fn(move |cx| {
        ready = !ready;
        if ready {
            return Poll::Ready(pieces.next().map(Ok::<_, Infallible>));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }))
}

#[tokio::test]
async fn p11_half_read_file_is_skipped_after_any_drop_order() {
    let world = World::new();
    let handler = async |VerifiedMedia(mut form, _): Form| -> Result<String> {
        let mut read = form.next_file().await?.unwrap();
        while read.try_next().await?.is_some() {}
        let mut half_read = form.next_file().await?.unwrap();
        half_read.try_next().await?;
        drop(half_read);
        drop(read);
        Ok(form.next_file().await?.unwrap().name().unwrap().to_owned())
    };
    let body = file("one", "1") + &file("two", &"x".repeat(100_000)) + &file("three", "3") + END;
    let answer = send(&form_app(&world, handler), form(&world, "b", in_fits(&body))).await;
    assert_eq!(answer.text(), "three");
}

#[tokio::test]
async fn p11_next_file_can_be_cancelled() {
    let world = World::new();
    let handler = async |VerifiedMedia(mut form, _): Form| -> Result<String> {
        drop(form.next_file().await?);
        for _ in 0..3 {
            assert!(form.next_file().now_or_never().is_none());
        }
        Ok(form.next_file().await?.unwrap().name().unwrap().to_owned())
    };
    let body = file("one", &"x".repeat(100_000)) + &file("two", "2") + END;
    let answer = send(&form_app(&world, handler), form(&world, "b", in_fits(&body))).await;
    assert_eq!(answer.text(), "two");
}

/// Each chunk of the body is searched for the boundary, so its length is a factor of the cost.
#[tokio::test]
async fn p11_a_boundary_is_no_longer_than_rfc_2046_allows() {
    let world = World::new();
    let app = form_app(&world, async |_: Form| {});
    for (length, status) in [(1, 200), (70, 200), (71, 422), (100_000, 422)] {
        let boundary = "b".repeat(length);
        let body = format!("--{boundary}--\r\n");
        let answer = send(&app, form(&world, &boundary, body)).await;
        assert_eq!(answer.status, status, "{length} bytes");
    }
}

/// multer searches the whole head again for each chunk.
#[tokio::test]
async fn p11_head_in_one_chunk_with_a_field_is_bounded() {
    let world = World::new();
    let app = form_app(&world, async |VerifiedMedia(mut form, _): Form| -> Result<String> {
        Ok(format!("{}", form.next_file().await?.is_some()))
    });
    for (length, status) in [(15 << 10, 200), (64 << 10, 413), (1 << 20, 413)] {
        let head = format!("name=\"file\"; filename=\"{}\"", "x".repeat(length));
        let body = part("name=\"note\"", "hello") + &part(&head, "content") + END;
        let answer = send(&app, form(&world, "b", body)).await;
        assert_eq!(answer.status, status, "{length} bytes");
    }
}

#[tokio::test]
async fn p11_file_with_an_unreadable_name_is_a_file() {
    let world = World::new();
    let app = form_app(&world, async |VerifiedMedia(mut form, _): Form| -> Result<String> {
        Ok(format!("{:?}", form.next_file().await?.map(|file| file.name().map(str::to_owned))))
    });
    for file_name in [
        &b"filename=\"gr\xfcn.txt\""[..],
        b"filename*=UTF-8''a.txt",
        b"filename*=UTF-8''a.txt; filename=\"a.txt\"",
        b"Filename=\"a.txt\"",
        b"filename=\"a.txt",
        b"filename",
    ] {
        let (before, after) = (&b"--b\r\nContent-Disposition: form-data; name=\"file\"; "[..], END);
        let body = [before, file_name, b"\r\n\r\nhello\r\n", after.as_bytes()].concat();
        let answer = send(&app, form(&world, "b", body)).await;
        assert_eq!(answer.text(), "Some(Some(\"file\"))", "{}", file_name.escape_ascii());
    }
    for name in ["filename", "my filename", "the*filename", "a=filename"] {
        let body = part(&format!("name=\"{name}\""), "hello") + END;
        assert_eq!(send(&app, form(&world, "b", body)).await.text(), "None", "{name:?}");
    }
}

#[derive(Debug)]
struct PanicsWhenExplaining;

impl Ownership for PanicsWhenExplaining {
    async fn owned(&self, _: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        Ok(Vec::new())
    }

    async fn explain(&self, _: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        panic!("injected panic")
    }
}

#[tokio::test]
async fn g16_refusal_is_answered_if_its_explanation_panics() {
    type Ids = Json<Vec<UnverifiedId>>;
    let world = World::new();
    let media = MediaState::builder(InMemory::new()).ownership(PanicsWhenExplaining).build();
    let guard = VerifyMediaLayer::<Ids>::new(media);
    let app = Router::new().route("/", post(async |_: VerifiedMedia<Ids>| {}).layer(guard));

    let _listening = Log::of("debug");
    let answer = send(&world.app(app), post_json(&world.ana, "/", &json!(["m-1"]))).await;
    assert_eq!((answer.status.as_u16(), answer.missing()), (404, vec!["m-1".to_owned()]));
}

/// Each body hides an id where only one of two parsers would find it.
#[tokio::test]
async fn p11_crafted_boundaries_and_heads_do_not_evade_the_check() {
    let world = World::new();
    let bobs = world.upload(&world.bob, "me").await;
    let app = form_app(&world, async |VerifiedMedia(mut form, owned): Form| -> Result<String> {
        while form.next_file().await?.is_some() {}
        Ok(format!("{:?} {:?}", form.fields.references, owned.ids()))
    });
    let id = part("name=\"references\"", &bobs) + END;
    let head = |head: &str| format!("--b\r\n{head}\r\n\r\n{bobs}\r\n{END}");
    let disposition = "Content-Disposition: form-data; name=\"references\"";
    for (body, status) in [
        (format!("before the form\r\n{id}"), 404),
        (id.replacen("--b", "--b \t", 1), 404),
        (head(&format!("{disposition}\r\nContent-Transfer-Encoding: base64")), 404),
        (head(&format!("{disposition}; name=\"other\"")), 404),
        (head(&format!("Content-Disposition: form-data; name=\"other\"\r\n{disposition}")), 404),
        (head(&format!("{disposition}\r\nContent-Disposition: form-data; name=\"other\"")), 200),
        (part("name=\"_charset_\"", "utf-16") + &id, 404),
        (part("name=\"other\"", &format!("x&references={bobs}")) + END, 200),
        (part("name=\"other&references\"", &bobs) + END, 200),
        (part("name=\"references[]\"", &bobs) + END, 200),
        (part("name=\"REFERENCES\"", &bobs) + END, 200),
        (format!("{END}{id}"), 200),
        (file("file", "x") + END + &id, 200),
        (file("file", &format!("x\n--b\n{disposition}\n\n{bobs}\n--b--\n")) + END, 200),
        (file("file", "x") + &id, 422),
        (format!("--bb\r\nx{id}"), 422),
        (file("file", "x\r\n--bx") + END, 422),
        (head("Content-Disposition: form-data;\r\n name=\"references\""), 422),
        (head("Content-Disposition: form-data; name*=UTF-8''references"), 422),
        (id.replace("\r\n", "\n"), 422),
    ] {
        let answer = send(&app, form(&world, "b", body.clone())).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(status != 200 || answer.text() == "[] []", "{body}");
    }
}

/// A layer between the guard and the handler changes the request.
#[tokio::test]
async fn g07_request_changed_behind_the_guard_keeps_the_proof() {
    type Ids = (Path<UnverifiedId>, Json<Vec<UnverifiedId>>);
    let world = World::new();
    let (anas, bobs) = (world.upload(&world.ana, "me").await, world.upload(&world.bob, "me").await);
    let replaced = json!([bobs]).to_string();
    let change = map_request(move |mut request: Request| {
        *request.uri_mut() = "/somewhere/else".parse().unwrap();
        *request.body_mut() = Body::from(replaced.clone());
        ready(request)
    });
    let handler = async |VerifiedMedia((Path(path), Json(checked)), owned): VerifiedMedia<Ids>,
                         Json(again): Json<Vec<UnverifiedId>>| {
        let opened = [&path, &checked[0], &again[0]].map(|id| owned.get(id).cloned());
        Json(opened)
    };
    let guard = VerifyMediaLayer::<Ids>::new(world.media.clone());
    let app = world.app(Router::new().route("/{id}", post(handler).layer((guard, change))));
    let answer = send(&app, post_json(&world.ana, &format!("/{anas}"), &json!([anas]))).await;
    assert_eq!(answer.json(), json!([anas, anas, null]));
}

/// It fails closed, as documented, because the request looks the same as with `nest_service`.
#[tokio::test]
async fn g02_path_over_the_fallback_of_a_nested_router_is_500() {
    let world = World::new();
    let routes = || {
        let handler = async |_: VerifiedMedia<Path<UnverifiedId>>| {};
        Router::new().route("/m/{id}", routing::get(handler)).fallback(async || "fallback")
    };
    let guard = VerifyMediaLayer::<Path<UnverifiedId>>::new(world.media.clone());
    for (routes, status) in [
        (routes().layer(guard.clone()), StatusCode::INTERNAL_SERVER_ERROR),
        (routes().route_layer(guard), StatusCode::OK),
    ] {
        let app = world.app(Router::new().nest("/api", routes));
        assert_eq!(send(&app, get(&world.ana, "/api/other")).await.status, status);
        let refused = send(&app, get(&world.ana, "/api/m/other")).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
    }
}
