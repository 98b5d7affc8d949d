//! G1: if the check fails in any way, the inner service is never called.

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::{StatusCode, header},
};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_media::{
    ErrorKind, MediaId, MediaState, Ownership, OwnershipQuestion, UnverifiedId, VerifyMediaLayer,
    extract::VerifyMediaRejection, state::MediaStateBuilder, testkit::Fault,
};

use super::support::{Answer, World, post_json, send};

const KINDS: [ErrorKind; 10] = [
    ErrorKind::NotFound,
    ErrorKind::NotOwned,
    ErrorKind::InvalidInput,
    ErrorKind::TooLarge,
    ErrorKind::Unsupported,
    ErrorKind::Failed,
    ErrorKind::Unavailable,
    ErrorKind::Timeout,
    ErrorKind::Unexpected,
    ErrorKind::Internal,
];

/// A guard around a service that acts inside `call`, before the first poll of its future, and two ids
/// that Ana owns.
struct Site {
    world: World,
    app: Router,
    calls: Arc<AtomicUsize>,
    ids: [String; 2],
}

impl Site {
    async fn new() -> Self {
        Self::with(|media| media).await
    }

    async fn with(configure: impl FnOnce(MediaStateBuilder) -> MediaStateBuilder) -> Self {
        let world = World::new();
        let ids = [world.upload(&world.ana, "me").await, world.upload(&world.ana, "me").await];
        let media = configure(MediaState::builder(world.backend.clone())).build();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let service = service_fn(move |_: Request| {
            counter.fetch_add(1, Ordering::SeqCst);
            ready(Ok::<_, Infallible>(StatusCode::NO_CONTENT))
        });
        let guard = VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media).id_count(1..=2);
        let routes = Router::new()
            .route_service("/", guard.layer(service))
            .layer(DefaultBodyLimit::max(1_000));
        Self { app: world.app(routes), world, calls, ids }
    }

    /// A request that passes if the check works.
    fn request(&self) -> Request {
        post_json(&self.world.ana, "/", &json!(self.ids))
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn assert_passes(&self) {
        let calls = self.calls();
        assert_eq!(send(&self.app, self.request()).await.status, 204);
        assert_eq!(self.calls(), calls + 1);
    }

    async fn assert_refuses(&self, status: StatusCode) -> Answer {
        let calls = self.calls();
        let answer = send(&self.app, self.request()).await;
        assert_eq!(self.calls(), calls, "the service was called");
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.json()["status"], status.as_u16());
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        assert!(!answer.text().to_lowercase().contains("told to"), "{}", answer.text());
        answer
    }
}

#[tokio::test]
async fn g01_error_of_the_check_never_reaches_the_service() {
    let site = Site::new().await;
    for kind in KINDS {
        site.world.backend.set(Fault::Fail(kind));
        let answer = send(&site.app, site.request()).await;
        assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{kind:?}");
        assert!(!answer.body.is_empty(), "{kind:?}");
        assert_eq!(site.calls(), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn g01_error_of_the_check_shows_only_its_status() {
    let site = Site::new().await;
    for (kind, status) in [
        (ErrorKind::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (ErrorKind::Timeout, StatusCode::GATEWAY_TIMEOUT),
        (ErrorKind::Unexpected, StatusCode::BAD_GATEWAY),
        (ErrorKind::Internal, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        site.world.backend.set(Fault::Fail(kind));
        site.assert_refuses(status).await;
    }
}

#[tokio::test]
async fn g01_unexpected_error_kind_is_never_read_as_a_denial() {
    let site = Site::new().await;
    for kind in [
        ErrorKind::NotFound,
        ErrorKind::NotOwned,
        ErrorKind::InvalidInput,
        ErrorKind::TooLarge,
        ErrorKind::RangeNotSatisfiable,
        ErrorKind::Failed,
    ] {
        site.world.backend.set(Fault::Fail(kind));
        site.assert_refuses(StatusCode::BAD_GATEWAY).await;
    }
    // The ownership does not support this owner: an error in the wiring.
    site.world.backend.set(Fault::Fail(ErrorKind::Unsupported));
    site.assert_refuses(StatusCode::INTERNAL_SERVER_ERROR).await;
}

/// The order of events under a paused clock.
async fn within<T>(time: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(time, future).await.expect("the check has an end")
}

#[tokio::test(start_paused = true)]
async fn g01_check_that_hangs_is_504() {
    let site = Site::with(|media| media.check_timeout(Duration::from_secs(3))).await;
    site.world.backend.set(Fault::Hang);
    let answer =
        within(Duration::from_secs(4), site.assert_refuses(StatusCode::GATEWAY_TIMEOUT)).await;
    let Some(VerifyMediaRejection::CheckFailed(failed)) = answer.extensions.get() else {
        panic!("not a failed check");
    };
    assert_eq!(failed.error().to_string(), "the ownership check took longer than 3s");
}

#[tokio::test(start_paused = true)]
async fn g01_check_has_a_deadline_by_default() {
    let site = Site::new().await;
    site.world.backend.set(Fault::Hang);
    within(Duration::from_secs(11), site.assert_refuses(StatusCode::GATEWAY_TIMEOUT)).await;
}

#[tokio::test(start_paused = true)]
async fn g01_answer_after_the_deadline_changes_nothing() {
    let site = Site::new().await;
    site.world.backend.set(Fault::Late);
    within(Duration::from_secs(11), site.assert_refuses(StatusCode::GATEWAY_TIMEOUT)).await;
    site.world.backend.release();
    tokio::task::yield_now().await;
    assert_eq!(site.calls(), 0);
}

#[tokio::test]
async fn g01_panic_of_the_check_is_500() {
    let site = Site::new().await;
    site.world.backend.set(Fault::Panic);
    site.assert_refuses(StatusCode::INTERNAL_SERVER_ERROR).await;
}

#[derive(Debug)]
struct PanicsAtOnce;

impl Ownership for PanicsAtOnce {
    fn owned(
        &self,
        question: &OwnershipQuestion<'_>,
    ) -> impl Future<Output = tower_media::Result<Vec<MediaId>>> + Send {
        assert!(question.ids().len() == 0, "injected panic");
        ready(Ok(Vec::new()))
    }
}

#[tokio::test]
async fn g01_panic_before_the_check_is_a_future_is_500() {
    let site = Site::with(|media| media.ownership(PanicsAtOnce)).await;
    site.assert_refuses(StatusCode::INTERNAL_SERVER_ERROR).await;
}

#[tokio::test]
async fn g01_id_left_out_of_the_answer_is_not_owned() {
    let site = Site::new().await;
    site.world.backend.set(Fault::Less);
    let answer = site.assert_refuses(StatusCode::NOT_FOUND).await;
    assert_eq!(answer.missing(), site.ids[1..]);
}

#[tokio::test]
async fn g01_answer_that_names_other_ids_is_502() {
    let site = Site::new().await;
    for fault in [Fault::More, Fault::Others] {
        site.world.backend.set(fault);
        let answer = site.assert_refuses(StatusCode::BAD_GATEWAY).await;
        assert!(answer.missing().is_empty());
    }
}

/// An ownership that computes its answer from the ids of the query, without an owner.
#[derive(Debug)]
struct Answers(fn(&[MediaId]) -> Vec<MediaId>);

impl Ownership for Answers {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> tower_media::Result<Vec<MediaId>> {
        Ok((self.0)(&question.select(|_| true)))
    }
}

async fn site_that_answers(answer: fn(&[MediaId]) -> Vec<MediaId>) -> Site {
    Site::with(|media| media.ownership(Answers(answer))).await
}

fn respell(ids: &[MediaId], spell: fn(&str) -> String) -> Vec<MediaId> {
    ids.iter().map(|id| MediaId::from_trusted(spell(id.as_str())).unwrap()).collect()
}

#[tokio::test]
async fn g01_answer_in_another_spelling_is_502() {
    for answer in [
        (|ids| respell(ids, str::to_uppercase)) as fn(&[MediaId]) -> Vec<MediaId>,
        |ids| respell(ids, |id| id.replace('-', "")),
        |ids| respell(ids, |id| format!("{id}.")),
        |ids| respell(ids, |id| id[..id.len() - 1].to_owned()),
    ] {
        site_that_answers(answer).await.assert_refuses(StatusCode::BAD_GATEWAY).await;
    }
}

#[tokio::test]
async fn g01_empty_answer_denies_all() {
    let site = site_that_answers(|_| Vec::new()).await;
    let answer = site.assert_refuses(StatusCode::NOT_FOUND).await;
    assert_eq!(answer.missing(), site.ids);
}

#[tokio::test]
async fn g01_repeated_id_does_not_cover_another() {
    let site = site_that_answers(|ids| vec![ids[0].clone(); ids.len()]).await;
    let answer = site.assert_refuses(StatusCode::NOT_FOUND).await;
    assert_eq!(answer.missing(), site.ids[1..]);
}

#[tokio::test]
async fn g01_order_and_repeats_of_the_answer_have_no_effect() {
    let site = site_that_answers(|ids| ids.iter().chain(ids).rev().cloned().collect()).await;
    site.assert_passes().await;
}

#[tokio::test]
async fn g01_request_dropped_during_the_check_reaches_no_handler() {
    let site = Site::new().await;
    for fault in [Fault::Hang, Fault::Late] {
        site.world.backend.set(fault);
        let asked = site.world.backend.questions();
        // Polls once, then drops.
        assert!(site.app.clone().oneshot(site.request()).now_or_never().is_none());
        assert_eq!(site.world.backend.questions(), asked + 1);
    }
    site.world.backend.release();
    tokio::task::yield_now().await;
    assert_eq!(site.calls(), 0);
}

#[tokio::test]
async fn g01_every_refusal_comes_before_the_service() {
    let site = Site::new().await;
    let World { ana, bob, .. } = &site.world;
    let foreign = json!([site.world.upload(bob, "me").await]);
    let mut anonymous = site.request();
    anonymous.headers_mut().remove("x-user");
    let mut no_json = site.request();
    no_json.headers_mut().remove(header::CONTENT_TYPE);
    let mut cut = site.request();
    *cut.body_mut() = Body::from("[");

    let post = |body: Value| post_json(ana, "/", &body);
    for (request, status) in [
        (anonymous, StatusCode::UNAUTHORIZED),
        (no_json, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (cut, StatusCode::BAD_REQUEST),
        (post(json!("x".repeat(2_000))), StatusCode::PAYLOAD_TOO_LARGE),
        (post(json!(["../etc/passwd"])), StatusCode::UNPROCESSABLE_ENTITY),
        (post(json!([])), StatusCode::UNPROCESSABLE_ENTITY),
        (post(json!(["a", "b", "c"])), StatusCode::UNPROCESSABLE_ENTITY),
        (post(foreign), StatusCode::NOT_FOUND),
        (post(json!(["absent"])), StatusCode::NOT_FOUND),
    ] {
        let answer = send(&site.app, request).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(!answer.body.is_empty());
        assert_eq!(site.calls(), 0);
    }
    site.assert_passes().await;
}

#[tokio::test(start_paused = true)]
async fn g01_next_request_passes_once_the_fault_is_lifted() {
    let site = Site::new().await;
    for fault in [
        Fault::Fail(ErrorKind::Unavailable),
        Fault::Hang,
        Fault::Panic,
        Fault::Late,
        Fault::Less,
        Fault::More,
        Fault::Others,
    ] {
        site.world.backend.set(fault);
        let calls = site.calls();
        let answer = within(Duration::from_secs(11), send(&site.app, site.request())).await;
        assert!(!answer.status.is_success(), "{fault:?}");
        assert_eq!(site.calls(), calls, "{fault:?}");
        site.world.backend.set(Fault::None);
        site.assert_passes().await;
    }
}
