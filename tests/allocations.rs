//! The allocations of the guard (promise G6). They are counted for the whole process, so these tests have a
//! binary of their own.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::{
    alloc::System,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, Request},
    http::{StatusCode, header},
    routing::post,
};
use bytes::Bytes;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use tokio::runtime;
use tower::ServiceExt as _;
use tower_media::{
    InMemory, MediaId, MediaIds, MediaState, Owner, Ownership, OwnershipQuestion, Result,
    UnverifiedId, VerifiedMedia, VerifyMediaLayer, extract::IdCollector,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Grants all ids to all owners, and counts the queries.
#[derive(Debug, Clone, Default)]
struct GrantAll(Arc<AtomicUsize>);

impl GrantAll {
    fn questions(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Ownership for GrantAll {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(question.select(|_| true))
    }
}

type Ids = Vec<UnverifiedId>;

async fn plain(Json(ids): Json<Ids>) -> String {
    ids.len().to_string()
}

async fn verified<E: Send + 'static>(VerifiedMedia(_, owned): VerifiedMedia<E>) -> String {
    owned.ids().len().to_string()
}

fn app(ownership: &GrantAll) -> Router {
    let media = MediaState::builder(InMemory::new()).ownership(ownership.clone()).build();
    let json = VerifyMediaLayer::<Json<Ids>>::new(media.clone()).id_count(1..=256);
    let counted = VerifyMediaLayer::<Counted>::new(media);
    Router::new()
        .route("/plain", post(plain))
        .route("/guarded", post(verified::<Json<Ids>>).layer(json.clone()))
        .route("/counted", post(verified::<Counted>).layer(counted))
        .route("/unlimited", post(verified::<Json<Ids>>).layer((DefaultBodyLimit::disable(), json)))
        .layer(Extension(Owner::new("ana").unwrap()))
        .with_state(())
}

fn ids(count: usize) -> Bytes {
    let ids: Vec<_> = (0..count).map(|n| format!("01f1903a-390d-41fe-8146-{n:012}")).collect();
    serde_json::to_vec(&ids).unwrap().into()
}

/// Sends a request, and returns the allocations until the response was dropped.
fn send(app: &Router, path: &str, body: &Bytes) -> (StatusCode, Stats) {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.clone()))
        .unwrap();
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let region = Region::new(ALLOCATOR);
    let status = runtime.block_on(app.clone().oneshot(request)).unwrap().status();
    (status, region.change())
}

/// Returns the allocations of an accepted request: the minimum of several runs, because the test harness
/// allocates in its own threads.
fn allocations(app: &Router, path: &str, count: usize) -> usize {
    let body = ids(count);
    let counts = (0..8).map(|_| {
        let (status, stats) = send(app, path, &body);
        assert_eq!(status, StatusCode::OK);
        stats.allocations
    });
    counts.min().unwrap()
}

/// An extractor that counts its runs.
struct Counted;

static RUNS: AtomicUsize = AtomicUsize::new(0);

impl<S: Sync> FromRequest<S> for Counted {
    type Rejection = StatusCode;

    async fn from_request(_: Request, _: &S) -> Result<Self, StatusCode> {
        RUNS.fetch_add(1, Ordering::SeqCst);
        Ok(Self)
    }
}

impl MediaIds for Counted {
    fn media_ids(&self, ids: &mut IdCollector) {
        ids.add(&UnverifiedId::parse("m-1").unwrap());
    }
}

#[test]
fn g06_guard_allocates_nothing_per_id_beyond_the_ids() {
    let _alone = alone();
    let app = app(&GrantAll::default());
    let of_the_guard =
        |count| allocations(&app, "/guarded", count) - allocations(&app, "/plain", count);
    for count in [4, 8, 64, 128] {
        assert_eq!(of_the_guard(2 * count), of_the_guard(count), "{count} ids and twice as many");
    }
}

#[test]
fn g06_a_million_ids_are_refused_in_bounded_memory() {
    let _alone = alone();
    let ownership = GrantAll::default();
    let app = app(&ownership);
    let body = ids(1_000_000);
    let (status, stats) = send(&app, "/unlimited", &body);
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ownership.questions(), 0);
    // The sum of all allocations, an upper bound of the peak: mostly the parsed ids.
    assert!(stats.bytes_allocated < 4 * body.len(), "{stats:?} for {} bytes", body.len());
    let left = stats.bytes_allocated.saturating_sub(stats.bytes_deallocated);
    assert!(left < 64 << 10, "{left} bytes are left: {stats:?}");
}

#[test]
fn g06_deeply_nested_json_is_refused_in_bounded_memory() {
    let _alone = alone();
    let ownership = GrantAll::default();
    let app = app(&ownership);
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let bodies = [format!("{open}{close}"), format!(r#"["m-1",{open}"m-2"{close}]"#)];
    for body in bodies {
        let body = Bytes::from(body);
        let (status, stats) = send(&app, "/guarded", &body);
        assert!(status.is_client_error(), "{status}");
        assert!(stats.bytes_allocated < 4 * body.len(), "{stats:?} for {} bytes", body.len());
    }
    assert_eq!(ownership.questions(), 0);
}

#[test]
fn g06_a_body_beyond_the_limit_never_reaches_the_extractor() {
    let _alone = alone();
    let ownership = GrantAll::default();
    let app = app(&ownership);
    let limit = 2 << 20;

    let (status, _) = send(&app, "/counted", &vec![b' '; limit].into());
    assert_eq!((status, RUNS.load(Ordering::SeqCst)), (StatusCode::OK, 1));
    assert_eq!(ownership.questions(), 1);

    let (status, stats) = send(&app, "/counted", &vec![b' '; limit + 1].into());
    assert_eq!((status, RUNS.load(Ordering::SeqCst)), (StatusCode::PAYLOAD_TOO_LARGE, 1));
    assert_eq!(ownership.questions(), 1);
    assert!(stats.bytes_allocated < 64 << 10, "{stats:?}");
}
