//! G6: requests beyond a bound are refused without a query, and a passing request costs one query.
//!
//! `tests/allocations.rs` measures that memory stays flat.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request},
    http::{StatusCode, header},
    routing::{MethodRouter, any},
};
use axum_extra::extract::{Form, Query};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tower_media::{
    MediaIds, UnverifiedId, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm},
};

use super::support::{World, by, get, post_json, send};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";
const CAP: usize = 20;

#[derive(Deserialize, MediaIds)]
struct Listed {
    #[serde(default)]
    id: Vec<UnverifiedId>,
}

/// A payload of unbounded nesting.
#[derive(Deserialize, MediaIds)]
#[serde(untagged)]
enum Tree {
    Leaf(UnverifiedId),
    Branch(Vec<Tree>),
}

fn guarded<E, M>(world: &World) -> MethodRouter
where
    E: GuardedExtractor<(), M> + MediaIds,
    M: Send + Sync + 'static,
{
    let layer = VerifyMediaLayer::<E>::new(world.media.clone()).id_count(1..=CAP);
    any(|| async { StatusCode::NO_CONTENT }).layer(layer)
}

fn app(world: &World) -> Router {
    let routes = Router::new()
        .route("/json", guarded::<Json<Vec<UnverifiedId>>, _>(world))
        .route("/tree", guarded::<Json<Tree>, _>(world))
        .route("/path/{*ids}", guarded::<Path<Vec<UnverifiedId>>, _>(world))
        .route("/query", guarded::<Query<Listed>, _>(world))
        .route("/form", guarded::<Form<Listed>, _>(world))
        .route("/multipart", guarded::<MultipartForm<Listed>, _>(world));
    world.app(routes)
}

fn post(world: &World, uri: &str, content_type: &str, body: impl Into<Body>) -> Request {
    by(&world.ana, Request::post(uri))
        .header(header::CONTENT_TYPE, content_type)
        .body(body.into())
        .unwrap()
}

fn pairs(ids: &[String]) -> String {
    ids.iter().map(|id| format!("id={id}&")).collect()
}

fn parts(ids: &[String]) -> String {
    let part =
        |id: &String| format!("--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n");
    ids.iter().map(part).collect::<String>() + "--b--\r\n"
}

/// The same ids in every source that accepts several.
fn requests(world: &World, ids: &[String]) -> [Request; 5] {
    [
        post_json(&world.ana, "/json", &json!(ids)),
        post_json(&world.ana, "/tree", &json!([[ids], []])),
        get(&world.ana, &format!("/query?{}", pairs(ids))),
        post(world, "/form", FORM, pairs(ids)),
        post(world, "/multipart", MULTIPART, parts(ids)),
    ]
}

async fn status(world: &World, request: Request) -> StatusCode {
    send(&app(world), request).await.status
}

#[tokio::test]
async fn g06_ids_beyond_the_bound_are_refused_without_a_query() {
    let world = World::new();
    let ids: Vec<_> = (0..=CAP).map(|number| format!("m-{number}")).collect();
    for request in requests(&world, &ids) {
        let answer = send(&app(&world), request).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.json()["limit"], CAP);
    }
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g06_default_bound_is_100_ids() {
    let world = World::new();
    let layer = VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(world.media.clone());
    let app = world.app(Router::new().route("/", any(|| async {}).layer(layer)));
    for (count, status, questions) in [
        (100, StatusCode::NOT_FOUND, 1),
        (101, StatusCode::UNPROCESSABLE_ENTITY, 1),
        (50_000, StatusCode::UNPROCESSABLE_ENTITY, 1),
    ] {
        let ids: Vec<_> = (0..count).map(|number| format!("m-{number}")).collect();
        let answer = send(&app, post_json(&world.ana, "/", &json!(ids))).await;
        assert_eq!(answer.status, status, "{count}");
        assert_eq!(world.backend.questions(), questions, "{count}");
    }
}

#[tokio::test]
async fn g06_a_million_ids_are_refused_without_a_query() {
    let world = World::new();
    let app = app(&world).layer(DefaultBodyLimit::disable());
    let ids: Vec<_> = (0..1_000_000).map(|number| format!("m-{number}")).collect();
    let answer = send(&app, post_json(&world.ana, "/json", &json!(ids))).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g06_passing_request_with_repeats_costs_one_query() {
    let world = World::new();
    let mut ids = Vec::new();
    for _ in 0..CAP {
        ids.push(world.upload(&world.ana, "me").await);
    }
    let repeated = vec![ids; 10].concat();
    for (count, request) in requests(&world, &repeated).into_iter().enumerate() {
        assert_eq!(status(&world, request).await, StatusCode::NO_CONTENT);
        assert_eq!(world.backend.questions(), count + 1);
    }
}

/// An endless body, and the number of bytes that were read from it.
fn endless(chunk: &'static str) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let chunks = stream::repeat_with(move || {
        count.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes()))
    });
    (Body::from_stream(chunks), taken)
}

#[tokio::test]
async fn g06_an_endless_body_is_refused_at_the_body_limit() {
    let world = World::new();
    for (uri, content_type, chunk) in [
        ("/json", JSON, "        "),
        ("/form", FORM, "id=m-1&&"),
        (
            "/multipart",
            MULTIPART,
            "\r\n--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n",
        ),
    ] {
        for limit in [1_000, 100_000] {
            let app = app(&world).layer(DefaultBodyLimit::max(limit));
            let (body, taken) = endless(chunk);
            let answer = send(&app, post(&world, uri, content_type, body)).await;
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{uri}");
            assert!(taken.load(Ordering::Relaxed) <= limit + 2 * chunk.len(), "{uri}");
        }
        let (body, taken) = endless(chunk);
        let refused = status(&world, post(&world, uri, content_type, body)).await;
        assert_eq!(refused, StatusCode::PAYLOAD_TOO_LARGE, "{uri} without a limit of its own");
        assert!(taken.load(Ordering::Relaxed) <= (2 << 20) + 2 * chunk.len(), "{uri}");
    }
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g06_deep_nesting_is_refused_without_a_query() {
    let world = World::new();
    for depth in [1_000, 10_000, 100_000] {
        let closed = format!("{}\"m-1\"{}", "[".repeat(depth), "]".repeat(depth));
        for body in [closed, "[".repeat(depth), r#"{"a":"#.repeat(depth)] {
            let status = status(&world, post(&world, "/tree", JSON, body)).await;
            assert!(status.is_client_error(), "{status} at {depth}");
        }
    }
    assert_eq!(world.backend.questions(), 0);
}
