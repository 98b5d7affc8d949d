//! G14: the first refusals reveal nothing to an anonymous client, and cost no query.

use std::{convert::Infallible, task::Poll};

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
    routing::any,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_media::{
    MediaIds, Owner, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm, VerifyMediaRejection},
};

use super::support::{Answer, World, send};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=X";

type Posted = Json<Vec<UnverifiedId>>;

#[derive(Deserialize, MediaIds)]
struct Refs {
    id: UnverifiedId,
}

/// A body that panics when it is polled.
fn unread() -> Body {
    Body::from_stream(unreadable())
}

fn unreadable() -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::poll_fn(|_| -> Poll<Option<_>> { panic!("the body was read") })
}

fn guard<E, M>(world: &World) -> VerifyMediaLayer<E>
where
    E: MediaIds + GuardedExtractor<(), M>,
    M: 'static,
{
    VerifyMediaLayer::new(world.media.clone()).id_count(1..=2)
}

/// A guarded route for bodies of at most 1,000 bytes, with a handler that must not run.
fn app<E: Send + 'static>(world: &World, guard: VerifyMediaLayer<E>) -> Router {
    async fn handler<E>(_: VerifiedMedia<E>) {
        panic!("the handler ran");
    }
    let routes = Router::new().route("/{id}", any(handler::<E>).layer(guard));
    world.app(routes.layer(DefaultBodyLimit::max(1_000)))
}

fn request(uri: &str, content_type: &str, body: impl Into<Body>) -> Request {
    Request::post(uri).header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()
}

fn by_ana(mut request: Request) -> Request {
    request.headers_mut().insert("x-user", "ana".parse().unwrap());
    request
}

// Before the body is read.

#[tokio::test]
async fn g14_anonymous_is_401_before_the_body_is_read() {
    async fn check<E, M>(content_type: &str)
    where
        E: MediaIds + GuardedExtractor<(), M>,
        M: 'static,
    {
        let world = World::new();
        let app = app(&world, guard::<E, M>(&world));
        let answer = send(&app, request("/m-1?id=m-1", content_type, unread())).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["detail"], "Sign in to refer to media.");
    }
    check::<Posted, _>(JSON).await;
    check::<Form<Refs>, _>(FORM).await;
    check::<MultipartForm<Refs>, _>(MULTIPART).await;
    check::<(Path<Refs>, Posted), _>(JSON).await;
    check::<(Path<Refs>, MultipartForm<Refs>), _>(MULTIPART).await;
    check::<Query<Refs>, _>(JSON).await;
    check::<Path<Refs>, _>(JSON).await;
}

/// Authentication of an application: a header with the subject, or a rejection of its own.
struct Claims(String);

impl<S: Sync> FromRequestParts<S> for Claims {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let token = parts.headers.get(header::AUTHORIZATION);
        let token = token.ok_or((StatusCode::IM_A_TEAPOT, "tea only"))?;
        Ok(Self(token.to_str().unwrap().to_owned()))
    }
}

#[tokio::test]
async fn g14_owner_extractor_rejects_before_the_body_is_read() {
    let world = World::new();
    let guard = guard::<Posted, _>(&world).owner_from::<Claims>(|Claims(sub)| Owner::new(sub));
    let answer = send(&app(&world, guard), by_ana(request("/m-1", JSON, unread()))).await;
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.text(), "tea only");
    assert!(answer.extensions.get::<VerifyMediaRejection>().is_none());
}

#[tokio::test]
async fn g14_invalid_owner_is_401_before_the_body_is_read() {
    let world = World::new();
    let guard = guard::<Posted, _>(&world).owner_from::<Claims>(|Claims(sub)| Owner::new(sub));
    let mut anonymous = request("/m-1", JSON, unread());
    anonymous.headers_mut().insert(header::AUTHORIZATION, "".parse().unwrap());
    assert_eq!(send(&app(&world, guard), anonymous).await.status, 401);
}

#[tokio::test]
async fn g14_ids_outside_of_the_body_are_refused_before_it_is_read() {
    let world = World::new();
    let app = app(&world, guard::<Query<Refs>, _>(&world));
    for (uri, status) in [("/m-1?id=absent", 404), ("/m-1?id=a%20b", 400), ("/m-1", 400)] {
        let answer = send(&app, by_ana(request(uri, JSON, unread()))).await;
        assert_eq!(answer.status, status, "{uri}");
    }
}

#[tokio::test]
async fn g14_extractor_beside_a_form_refuses_before_the_form_is_read() {
    let world = World::new();
    let app = app(&world, guard::<(Query<Refs>, MultipartForm<Refs>), _>(&world));
    let answer = send(&app, by_ana(request("/m-1", MULTIPART, unread()))).await;
    assert_eq!(answer.status, 400);
}

// Before any lookup.

/// Asserts that a request of Ana is refused without a query.
async fn assert_unasked<E, M>(sent: Vec<Request>, status: u16) -> Vec<Answer>
where
    E: MediaIds + GuardedExtractor<(), M>,
    M: 'static,
{
    let world = World::new();
    let app = app(&world, guard::<E, M>(&world));
    let mut answers = Vec::new();
    for request in sent {
        let answer = send(&app, by_ana(request)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        answers.push(answer);
    }
    assert_eq!(world.backend.questions(), 0);
    answers
}

fn text_field(value: &str) -> String {
    format!("--X\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{value}\r\n--X--\r\n")
}

/// One byte more than the limit, then a body that panics when it is polled.
fn one_too_many() -> Body {
    let bytes = Bytes::from(vec![b' '; 1_001]);
    Body::from_stream(stream::once(async { Ok(bytes) }).chain(unreadable()))
}

#[tokio::test]
async fn g14_large_body_is_413_before_any_lookup() {
    let long = "x".repeat(1_000);
    let answers = assert_unasked::<Posted, _>(
        vec![
            request("/m-1", JSON, json!([long]).to_string()),
            request("/m-1", JSON, one_too_many()),
            request("/m-1", "text/plain", one_too_many()),
        ],
        413,
    )
    .await;
    for answer in answers {
        assert_eq!(answer.json()["detail"], "The request body is larger than this route allows.");
        assert!(matches!(
            answer.extensions.get(),
            Some(VerifyMediaRejection::UnreadableBody(body)) if body.is_too_large()
        ));
    }
    assert_unasked::<Form<Refs>, _>(vec![request("/m-1", FORM, format!("id={long}"))], 413).await;
    assert_unasked::<MultipartForm<Refs>, _>(
        vec![request("/m-1", MULTIPART, text_field(&long))],
        413,
    )
    .await;
}

#[tokio::test]
async fn g14_truncated_body_is_400_before_any_lookup() {
    let broken = stream::iter([Ok(Bytes::from("[\"m-1\"]")), Err("connection reset")]);
    let answers =
        assert_unasked::<Posted, _>(vec![request("/m-1", JSON, Body::from_stream(broken))], 400)
            .await;
    assert_eq!(answers[0].json()["detail"], "The request body could not be read to its end.");
}

#[tokio::test]
async fn g14_number_of_ids_is_422_before_any_lookup() {
    let sent = |ids: Value| request("/m-1", JSON, ids.to_string());
    let answers =
        assert_unasked::<Posted, _>(vec![sent(json!(["a", "b", "c"])), sent(json!([]))], 422).await;
    let [more, fewer] = &answers[..] else { unreachable!() };
    assert_eq!(more.json()["detail"], "This takes 1 to 2 media ids, and the request has more.");
    assert_eq!(more.json()["limit"], 2);
    assert_eq!(fewer.json()["detail"], "This needs 1 to 2 media ids, and the request has 0.");
    assert_eq!(fewer.json()["limit"], 1);
}

#[tokio::test]
async fn g14_malformed_id_is_refused_before_any_lookup() {
    let sent = |ids: Value| request("/m-1", JSON, ids.to_string());
    let malformed = vec![sent(json!(["a b"])), sent(json!(["m-1", "../x"])), sent(json!([1]))];
    assert_unasked::<Posted, _>(malformed, 422).await;
    assert_unasked::<Form<Refs>, _>(vec![request("/m-1", FORM, "id=a+b")], 422).await;
    assert_unasked::<MultipartForm<Refs>, _>(
        vec![request("/m-1", MULTIPART, text_field("a b"))],
        422,
    )
    .await;
    assert_unasked::<Query<Refs>, _>(vec![request("/m-1?id=a+b", JSON, "")], 400).await;
    assert_unasked::<Path<Refs>, _>(vec![request("/a%20b", JSON, "")], 400).await;
}

#[tokio::test]
async fn g14_rejection_of_the_extractor_comes_before_any_lookup() {
    assert_unasked::<Posted, _>(vec![request("/m-1", "text/plain", "[\"m-1\"]")], 415).await;
    assert_unasked::<Posted, _>(vec![request("/m-1", JSON, "[\"m-1\"")], 400).await;
    assert_unasked::<(Query<Refs>, Posted), _>(vec![request("/m-1", JSON, "[\"m-1\"]")], 400).await;
}

// Before the owner is known.

#[tokio::test]
async fn g14_anonymous_gets_one_response_for_any_request() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let posts = app(&world, guard::<Posted, _>(&world));
    let forms = app(&world, guard::<MultipartForm<Refs>, _>(&world));
    let queries = app(&world, guard::<Query<Refs>, _>(&world));
    let paths = app(&world, guard::<Path<Refs>, _>(&world));
    let post = |body: Value| request("/m-1", JSON, body.to_string());

    let mut answers = Vec::new();
    for (app, request) in [
        (&posts, post(json!([id]))),
        (&posts, post(json!(["absent"]))),
        (&posts, post(json!(["../etc/passwd"]))),
        (&posts, post(json!(["a", "b", "c"]))),
        (&posts, post(json!([]))),
        (&posts, post(json!("x".repeat(2_000)))),
        (&posts, request("/m-1", "text/plain", "")),
        (&forms, request("/m-1", MULTIPART, text_field(&id))),
        (&forms, request("/m-1", JSON, "")),
        (&queries, request(&format!("/m-1?id={id}"), JSON, "")),
        (&queries, request("/m-1?id=absent", JSON, "")),
        (&queries, request("/m-1?id=a%20b", JSON, "")),
        (&queries, request("/m-1", JSON, "")),
        (&paths, request(&format!("/{id}"), JSON, "")),
        (&paths, request("/absent", JSON, "")),
        (&paths, request("/a%20b", JSON, "")),
    ] {
        let Answer { status, headers, body, .. } = send(app, request).await;
        answers.push((status, headers, body));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(world.backend.questions(), 0);
}
