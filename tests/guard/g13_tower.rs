//! G13: the guard meets tower's requirements on a middleware.

use std::{
    cell::Cell,
    convert::Infallible,
    fmt::Debug,
    future::pending,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Body,
    extract::{FromRequestParts, Request},
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use serde_json::json;
use tower::{
    Layer as _, Service as _, ServiceBuilder, ServiceExt as _, limit::ConcurrencyLimitLayer,
    service_fn,
};
use tower_media::{
    MediaIds, MediaState, OwnedMedia, Owner, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::IdCollector,
    testkit::Fault,
    verify::{ResponseFuture, VerifyMedia},
};
use tower_test::mock;

use super::support::{World, get as get_request, post_json, send};

type Posted = Json<Vec<UnverifiedId>>;

fn guard(world: &World) -> VerifyMediaLayer<Posted> {
    VerifyMediaLayer::new(world.media.clone())
}

/// A request of Ana with `id`, for a guard without an application around it.
fn post_id(world: &World, id: &str) -> Request {
    let mut request = post_json(&world.ana, "/", &json!([id]));
    request.extensions_mut().insert(world.ana.clone());
    request
}

async fn world_with_one_id() -> (World, String) {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    (world, id)
}

// Readiness.

#[tokio::test]
async fn g13_guard_is_ready_when_its_inner_service_is() {
    let (mut guarded, mut handle) = mock::spawn_layer::<Request, Response, _>(guard(&World::new()));
    handle.allow(0);
    assert!(guarded.poll_ready().is_pending());
    handle.allow(1);
    assert!(guarded.poll_ready().is_ready());
}

#[tokio::test]
async fn g13_instance_that_was_ready_is_the_one_called() {
    let (world, id) = world_with_one_id().await;
    let (mut guarded, mut handle) = mock::spawn_layer::<Request, Response, _>(guard(&world));
    handle.allow(1);
    for _ in 0..2 {
        assert!(guarded.poll_ready().is_ready());
        // A clone that was not polled for readiness panics when it is called.
        let response = guarded.call(post_id(&world, &id));
        let respond = async {
            let (_, respond) = handle.next_request().await.unwrap();
            respond.send_response(StatusCode::NO_CONTENT.into_response());
        };
        let (response, ()) = tokio::join!(response, respond);
        assert_eq!(response.unwrap().status(), 204);
        assert!(guarded.poll_ready().is_pending());
        handle.allow(1);
    }
}

#[tokio::test]
async fn g13_refusal_does_not_use_the_inner_service() {
    let world = World::new();
    let (mut guarded, mut handle) = mock::spawn_layer::<Request, Response, _>(guard(&world));
    assert!(guarded.poll_ready().is_ready());
    let refusal = guarded
        .call(post_id(&world, "absent"))
        .now_or_never()
        .expect("the refusal is ready at once");
    assert_eq!(refusal.unwrap().status(), 404);
    assert!(handle.next_request().now_or_never().is_none());
}

#[tokio::test]
async fn g13_strict_inner_service_is_called_repeatedly() {
    let (world, id) = world_with_one_id().await;
    let mut guarded = ServiceBuilder::new()
        .layer(guard(&world))
        .layer(ConcurrencyLimitLayer::new(1))
        .service_fn(async |_: Request| Ok::<_, Infallible>(StatusCode::NO_CONTENT));
    for (id, status) in [(id.as_str(), 204), ("absent", 404), (&id, 204)] {
        let ready = guarded.ready().now_or_never().expect("the permit came back").unwrap();
        assert_eq!(ready.call(post_id(&world, id)).await.unwrap().status(), status);
    }
}

// Errors.

#[tokio::test]
async fn g13_failure_to_become_ready_is_passed_on() {
    let (mut guarded, mut handle) = mock::spawn_layer::<Request, Response, _>(guard(&World::new()));
    handle.send_error("out of order");
    let error = guarded.poll_ready().map(Result::unwrap_err);
    assert_eq!(error.map(|error| error.to_string()), std::task::Poll::Ready("out of order".into()));
}

#[tokio::test]
async fn g13_error_is_that_of_the_inner_service() {
    #[derive(Debug, PartialEq)]
    struct OutOfOrder;

    let (world, id) = world_with_one_id().await;
    let guarded =
        guard(&world).layer(service_fn(async |_: Request| Err::<Response, _>(OutOfOrder)));
    let failed: Result<Response, OutOfOrder> = guarded.clone().oneshot(post_id(&world, &id)).await;
    assert_eq!(failed.unwrap_err(), OutOfOrder);
    // A refusal is a response, also if the inner service has another error type.
    assert_eq!(guarded.oneshot(post_id(&world, "absent")).await.unwrap().status(), 404);
}

// Bodies.

#[tokio::test]
async fn g13_inner_service_may_have_a_body_of_its_own() {
    let (world, id) = world_with_one_id().await;
    let guarded = guard(&world).layer(service_fn(async |_: Request| {
        Ok::<_, Infallible>(axum::http::Response::new(Full::new(Bytes::from("mine"))))
    }));
    let response: Response = guarded.oneshot(post_id(&world, &id)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "mine");
}

#[tokio::test]
async fn g13_guard_fits_between_layers_that_change_the_bodies() {
    let (world, id) = world_with_one_id().await;
    let layers = ServiceBuilder::new()
        .map_response(|response: Response| response.map(|body| body.boxed_unsync()))
        .layer(guard(&world))
        .map_request(|request: Request| request.map(|body| body.boxed_unsync()))
        .map_response(|text: String| Response::new(Body::from(text)));
    let service = service_fn(async |request: axum::http::Request<UnsyncBoxBody<Bytes, _>>| {
        let bytes = request.into_body().collect().await?.to_bytes();
        Ok::<_, axum::Error>(String::from_utf8(bytes.into()).unwrap())
    });
    let response = layers.service(service).oneshot(post_id(&world, &id)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, json!([id]).to_string());
}

#[tokio::test]
async fn g13_guard_fits_a_router_together_with_other_layers() {
    let (world, id) = world_with_one_id().await;
    let layers = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(guard(&world))
        .layer(ConcurrencyLimitLayer::new(1));
    let handler = async |_: VerifiedMedia<Posted>| StatusCode::NO_CONTENT;
    let app = world.app(Router::new().route("/", post(handler)).layer(layers));
    for (id, status) in [(id.as_str(), 204), ("absent", 404), (&id, 204)] {
        let answer = send(&app, post_json(&world.ana, "/", &json!([id]))).await;
        assert_eq!(answer.status, status);
    }
}

// Cancellation.

/// Never returns if the request's header names this place.
async fn stop_at(place: &str, headers: &HeaderMap) {
    if headers.get("x-stop-at").is_some_and(|stop| stop == place) {
        pending().await
    }
}

struct Claims(Owner);

impl<S: Sync> FromRequestParts<S> for Claims {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        stop_at("owner", &parts.headers).await;
        Ok(Self(parts.extensions.get::<Owner>().unwrap().clone()))
    }
}

#[derive(MediaIds)]
struct Slow;

impl<S: Sync> FromRequestParts<S> for Slow {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        stop_at("extractor", &parts.headers).await;
        Ok(Self)
    }
}

#[tokio::test]
async fn g13_request_dropped_at_any_await_leaves_nothing() {
    let (world, id) = world_with_one_id().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let guard = VerifyMediaLayer::<(Slow, Posted)>::new(world.media.clone())
        .owner_from::<Claims>(|Claims(owner)| Ok(owner));
    let mut guarded = ServiceBuilder::new()
        .layer(guard)
        .layer(ConcurrencyLimitLayer::new(1))
        .service_fn(move |request: Request| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                stop_at("service", request.headers()).await;
                Ok::<_, Infallible>(StatusCode::NO_CONTENT)
            }
        });

    for (place, called) in
        [("owner", 0), ("extractor", 0), ("body", 0), ("check", 0), ("service", 1)]
    {
        let request_of = Arc::new(place);
        let mut request = post_id(&world, &id);
        request.extensions_mut().insert(Arc::clone(&request_of));
        request.headers_mut().insert("x-stop-at", place.parse().unwrap());
        match place {
            "body" => {
                *request.body_mut() =
                    Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
            }
            "check" => world.backend.set(Fault::Hang),
            _ => {}
        }

        calls.store(0, Ordering::SeqCst);
        let mut response = Box::pin(guarded.ready().await.unwrap().call(request));
        assert!(response.as_mut().now_or_never().is_none(), "{place}");
        assert!(guarded.ready().now_or_never().is_none(), "{place}: the permit is in use");
        drop(response);
        assert_eq!(calls.load(Ordering::SeqCst), called, "{place}");
        assert_eq!(Arc::strong_count(&request_of), 1, "{place}: the request is still held");

        world.backend.set(Fault::None);
        let ready = guarded.ready().now_or_never().expect("the permit came back").unwrap();
        assert_eq!(ready.call(post_id(&world, &id)).await.unwrap().status(), 204, "{place}");
    }
}

#[tokio::test]
async fn g13_future_that_is_never_polled_does_nothing() {
    let (world, id) = world_with_one_id().await;
    let asked = world.backend.questions();
    let (mut guarded, mut handle) = mock::spawn_layer::<Request, Response, _>(guard(&world));
    assert!(guarded.poll_ready().is_ready());
    drop(guarded.call(post_id(&world, &id)));
    assert_eq!(world.backend.questions(), asked);
    assert!(handle.next_request().now_or_never().is_none());
}

// Types.

#[test]
fn g13_types_are_clone_send_and_sync_for_any_extractor() {
    /// A type without auto traits.
    struct Nothing(#[expect(dead_code, reason = "for its type")] Rc<*mut u8>);

    fn is_all<T: Clone + Debug + Send + Sync + Unpin + 'static>() {}
    fn is_send<T: Send + 'static>() {}

    is_all::<VerifyMediaLayer<Nothing>>();
    is_all::<VerifyMedia<Router, Nothing>>();
    is_all::<OwnedMedia>();
    is_all::<MediaState>();
    is_send::<ResponseFuture<Router>>();
}

/// An extraction that is neither `Clone` nor `Sync`.
struct Counted(Cell<u32>, UnverifiedId);

impl<S: Sync> FromRequestParts<S> for Counted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Cell::new(7), UnverifiedId::parse(parts.uri.query().unwrap()).unwrap()))
    }
}

impl MediaIds for Counted {
    fn media_ids(&self, ids: &mut IdCollector) {
        self.0.set(self.0.get() + 1);
        ids.add(&self.1);
    }
}

#[tokio::test]
async fn g13_extraction_need_be_neither_clone_nor_sync() {
    async fn handler(VerifiedMedia(Counted(count, id), owned): VerifiedMedia<Counted>) -> String {
        format!("{} {}", count.get(), owned[&id])
    }
    let (world, id) = world_with_one_id().await;
    let guard = VerifyMediaLayer::<Counted>::new(world.media.clone());
    let app = world.app(Router::new().route("/", get(handler).layer(guard)));
    let answer = send(&app, get_request(&world.ana, &format!("/?{id}"))).await;
    assert_eq!(answer.text(), format!("8 {id}"));
}

#[test]
fn g13_inner_service_can_be_reached() {
    let mut guarded = guard(&World::new()).layer("inner");
    assert_eq!(*guarded.get_ref(), "inner");
    *guarded.get_mut() = "changed";
    assert_eq!(guarded.clone().into_inner(), "changed");
    assert!(format!("{guarded:?}").contains("changed"));
}
