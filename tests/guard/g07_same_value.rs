//! G7: what was checked is what is used, and a body is replayed byte for byte.
//!
//! The fuzzing runs 256 cases by default; set another number with `PROPTEST_CASES`.

mod raw;
mod two_ways;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Debug,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Extension, Form, Json, Router,
    body::Body,
    extract::{FromRequestParts, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
    routing::{MethodRouter, any},
};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::json;
use tower_media::{
    MediaIds, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::{GuardedExtractor, IdCollector},
};

use super::support::{Answer, World, by, send};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Debug, Deserialize, MediaIds)]
struct One {
    id: UnverifiedId,
}

/// Responds with the handler's value, and with the restored body.
fn replayed<E, M>(world: &World) -> MethodRouter
where
    E: GuardedExtractor<(), M> + MediaIds + Debug,
    M: Send + Sync + 'static,
{
    let layer = VerifyMediaLayer::<E>::new(world.media.clone());
    let handler = async |VerifiedMedia(value, _): VerifiedMedia<E>, request: Request| {
        let body = request.into_body().collect().await.unwrap();
        let trailers = body.trailers().map(|trailers| format!("{trailers:?}"));
        (
            [("value", format!("{value:?}")), ("trailers", trailers.unwrap_or_default())],
            body.to_bytes(),
        )
    };
    any(handler).layer(layer)
}

fn app(world: &World) -> Router {
    let routes = Router::new()
        .route("/json", replayed::<Json<One>, _>(world))
        .route("/map", replayed::<Json<BTreeMap<String, UnverifiedId>>, _>(world))
        .route("/form", replayed::<Form<One>, _>(world))
        .route("/query", replayed::<Query<One>, _>(world));
    world.app(routes)
}

async fn ask(world: &World, method: &str, uri: &str, content: &[&str], body: Body) -> Answer {
    let mut request = by(&world.ana, Request::builder().method(method).uri(uri));
    for content_type in content {
        request = request.header(header::CONTENT_TYPE, *content_type);
    }
    send(&app(world), request.body(body).unwrap()).await
}

/// The expected value of the handler: with this one id.
fn one(id: &str) -> String {
    format!("One {{ id: UnverifiedId({id:?}) }}")
}

fn got(answer: &Answer) -> &str {
    assert!(answer.status.is_success(), "{}: {}", answer.status, answer.text());
    let value = answer.headers["value"].to_str().unwrap();
    let (_extractor, value) = value.split_once('(').unwrap();
    value.strip_suffix(')').unwrap()
}

/// Extracts another id each time it runs, so that a second extraction is noticed.
struct Fickle(UnverifiedId);

impl MediaIds for Fickle {
    fn media_ids(&self, ids: &mut IdCollector) {
        ids.add(&self.0);
    }
}

#[derive(Clone)]
struct Spellings(Arc<[UnverifiedId; 2]>, Arc<AtomicUsize>);

impl<S: Sync> FromRequestParts<S> for Fickle {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let Spellings(ids, turn) = parts.extensions.get().unwrap();
        Ok(Self(ids[turn.fetch_add(1, Ordering::SeqCst)].clone()))
    }
}

#[tokio::test]
async fn g07_value_is_extracted_once() {
    let world = World::new();
    let anas = world.upload(&world.ana, "me").await;
    let bobs = world.upload(&world.bob, "me").await;
    let ids = [&anas, &bobs].map(|id| UnverifiedId::parse(id).unwrap());
    let layer = VerifyMediaLayer::<Fickle>::new(world.media.clone());
    let handler =
        async |VerifiedMedia(Fickle(id), owned): VerifiedMedia<Fickle>| Json(owned[&id].clone());
    let spellings = Spellings(Arc::new(ids), Arc::default());
    let routes = Router::new().route("/", any(handler).layer(layer)).layer(Extension(spellings));
    let request = by(&world.ana, Request::get("/")).body(Body::empty()).unwrap();
    assert_eq!(send(&world.app(routes), request).await.json(), json!(anas));
}

/// A body of many small chunks, with trailers.
fn pieces(body: &[u8], size: usize) -> Body {
    let chunks: Vec<_> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    let body = Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, Infallible>)));
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "1234".parse().unwrap());
    Body::new(body.with_trailers(async { Some(Ok(trailers)) }))
}

#[tokio::test]
async fn g07_a_body_and_its_trailers_are_replayed_byte_for_byte() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let blank = " \t\r\n".repeat(1_000);
    let json = format!("{blank}{{ \"x\": \"\u{fc}\\u00fc\", \"id\"\n:\"{id}\" }}{blank}");
    let form = format!("&&x=%ff+%2B&id={id}&&");
    let query = format!("/query?id={id}");
    for (uri, content_type, body) in [
        ("/json", JSON, json.as_bytes()),
        ("/form", FORM, form.as_bytes()),
        (&query, "application/octet-stream", b"\0\xff\r\nneither text nor read"),
    ] {
        for size in [1, 7, 1_000, body.len()] {
            let answer = ask(&world, "POST", uri, &[content_type], pieces(body, size)).await;
            assert_eq!(got(&answer), one(&id));
            assert_eq!(answer.body, body);
            assert_eq!(answer.headers["trailers"], r#"{"x-checksum": "1234"}"#);
        }
    }
}

/// Speaks HTTP by hand: sends the head, waits for `100 Continue`, sends the body.
fn converse(address: SocketAddr, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = vec![0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (String::from_utf8(interim).unwrap(), answer)
}

#[tokio::test]
async fn g07_chunked_body_after_expect_100_continue_is_replayed() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, app(&world)).into_future());

    let json = format!("{{\"id\":  \"{id}\"}}");
    let (begin, end) = json.split_at(9);
    let head = "POST /json HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-user: ana\r\n\
                expect: 100-continue\r\ncontent-type: application/json\r\n";
    let trailers = "te: trailers\r\ntrailer: x-checksum\r\ntransfer-encoding: chunked\r\n";
    let chunks =
        format!("9\r\n{begin}\r\n{:x}\r\n{end}\r\n0\r\nx-checksum: 1234\r\n\r\n", end.len());
    for (head, body) in [
        (format!("{head}content-length: {}\r\n\r\n", json.len()), json.clone()),
        (format!("{head}{trailers}\r\n"), chunks),
    ] {
        let talk = tokio::task::spawn_blocking(move || converse(address, &head, &body));
        let (interim, answer) = talk.await.unwrap();
        assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(&one(&id)) && answer.ends_with(&json), "{answer}");
    }
    server.abort();
}

#[tokio::test]
async fn g07_the_content_type_that_axum_reads_counts() {
    let world = World::new();
    let anas = world.upload(&world.ana, "me").await;
    let json = format!(r#"{{"id": "{anas}"}}"#);
    let form = format!("id={anas}");
    for (uri, content, body, passes) in [
        ("/json", [JSON, FORM], &json, true),
        ("/json", [FORM, JSON], &json, false),
        ("/form", [FORM, JSON], &form, true),
        ("/form", [JSON, FORM], &form, false),
    ] {
        let answer = ask(&world, "POST", uri, &content, body.clone().into()).await;
        if passes {
            assert_eq!((got(&answer), &answer.body[..]), (&*one(&anas), body.as_bytes()));
        } else {
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
    }
}

#[tokio::test]
async fn g07_a_form_is_the_query_on_get_and_the_body_on_post() {
    let world = World::new();
    let anas = world.upload(&world.ana, "me").await;
    let bobs = world.upload(&world.bob, "me").await;
    for (method, query, body, passes) in [
        ("GET", &anas, &bobs, true),
        ("GET", &bobs, &anas, false),
        ("POST", &bobs, &anas, true),
        ("POST", &anas, &bobs, false),
    ] {
        let (uri, body) = (format!("/form?id={query}"), format!("id={body}"));
        let answer = ask(&world, method, &uri, &[FORM], body.clone().into()).await;
        if passes {
            assert_eq!((got(&answer), answer.text()), (&*one(&anas), &*body), "{method}");
        } else {
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method}");
        }
    }
}

#[tokio::test]
async fn g07_of_equal_json_keys_the_handler_gets_the_verified_one() {
    let world = World::new();
    let anas = world.upload(&world.ana, "me").await;
    let bobs = world.upload(&world.bob, "me").await;
    for (uri, first, second, status) in [
        ("/json", &anas, &anas, StatusCode::UNPROCESSABLE_ENTITY),
        ("/json", &bobs, &anas, StatusCode::UNPROCESSABLE_ENTITY),
        ("/map", &anas, &bobs, StatusCode::NOT_FOUND),
        ("/map", &bobs, &anas, StatusCode::OK),
    ] {
        let body = format!(r#"{{"id": "{first}", "\u0069d": "{second}"}}"#);
        let answer = ask(&world, "POST", uri, &[JSON], body.into()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == StatusCode::OK {
            assert_eq!(got(&answer), format!("{{\"id\": UnverifiedId({anas:?})}}"));
        }
    }
}
