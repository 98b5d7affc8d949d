//! The cost of the guard over a media service, compared with a check in the handler.
//!
//! - `bare` checks nothing;
//! - `old` lists 500 rows in the handler and parses all of them, for each request;
//! - `cold` is the guard without a cache, `default` with the default staleness;
//! - `owned` is the guard without a cache, over a service that has `/owned`.
//!
//! The service runs on another thread. The time is the total time divided by the number of requests, at the
//! named concurrency, so its inverse is requests per second.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::result_large_err,
    dead_code,
    reason = "a bench"
)]

#[path = "../tests/remote/service.rs"]
mod service;

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode, header::CONTENT_TYPE},
    routing::post,
};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime;
use tower::ServiceExt as _;
use tower_media::{
    MediaId, MediaIds, MediaState, Owner, Remote, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
};

use service::Service;

const ROWS: [usize; 4] = [3, 50, 500, 5_000];
const CONCURRENT: [u64; 3] = [1, 16, 64];

#[derive(Deserialize, MediaIds)]
struct Generate {
    references: Vec<UnverifiedId>,
}

#[derive(Deserialize)]
struct Text {
    references: Vec<String>,
}

async fn bare(Json(body): Json<Text>) -> StatusCode {
    black_box(body.references);
    StatusCode::NO_CONTENT
}

async fn guarded(VerifiedMedia(Json(body), owned): VerifiedMedia<Json<Generate>>) -> StatusCode {
    black_box((body.references, owned.ids()));
    StatusCode::NO_CONTENT
}

async fn old(
    State((http, url)): State<(reqwest::Client, String)>,
    Extension(owner): Extension<Owner>,
    Json(body): Json<Text>,
) -> StatusCode {
    let query = [("userId", owner.subject()), ("app", "me"), ("limit", "500")];
    let url = reqwest::Url::parse_with_params(&url, query).unwrap();
    let rows: Value = http.get(url).send().await.unwrap().json().await.unwrap();
    let owned = |id: &String| rows.as_array().unwrap().iter().any(|row| row["id"] == **id);
    // With more than 500 rows this would deny owned media; that is not compared here.
    black_box(body.references.iter().filter(|id| owned(id)).count());
    StatusCode::NO_CONTENT
}

/// The guarded route over this service, for an owner of all requested ids.
fn guard(service: &Service, owner: &Owner, staleness: Option<Duration>) -> Router {
    let mut remote = Remote::builder(&service.url);
    if let Some(staleness) = staleness {
        remote = remote.max_staleness(staleness);
    }
    let media = MediaState::new(remote.build().unwrap());
    let layer = VerifyMediaLayer::<Json<Generate>>::new(media.clone()).scopes(["me"]);
    Router::new()
        .route("/", post(guarded).layer(layer))
        .layer(media.layer())
        .layer(Extension(owner.clone()))
        .with_state(())
}

/// Sends requests at this concurrency, each with three ids of the owner.
async fn send(app: &Router, ids: &Arc<Vec<MediaId>>, requests: u64, concurrent: u64) -> Duration {
    let sent = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let tasks: Vec<_> = (0..concurrent.min(requests))
        .map(|_| {
            let (app, ids, sent) = (app.clone(), Arc::clone(ids), Arc::clone(&sent));
            tokio::spawn(async move {
                loop {
                    let n = sent.fetch_add(1, Ordering::Relaxed);
                    if n >= requests {
                        return;
                    }
                    let at = |k: u64| &ids[((n * 3 + k) * 7 % ids.len() as u64) as usize];
                    let body = format!(r#"{{"references":["{}","{}","{}"]}}"#, at(0), at(1), at(2));
                    let request = Request::post("/").header(CONTENT_TYPE, "application/json");
                    let request = request.body(Body::from(body)).unwrap();
                    let answer = app.clone().oneshot(request).await.unwrap();
                    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begin.elapsed()
}

/// Starts both services on another thread, which ends with the process.
fn services() -> [Service; 2] {
    let (started, services) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            started.send([Service::start().await, Service::with_owned_route().await]).unwrap();
            std::future::pending::<()>().await
        })
    });
    services.recv().unwrap()
}

fn remote(criterion: &mut Criterion) {
    let [lists, knows] = services();
    let runtime = runtime::Runtime::new().unwrap();
    for rows in ROWS {
        let owner = Owner::new(format!("owner-of-{rows}")).unwrap();
        let [of_lists, of_knows] =
            [&lists, &knows].map(|service| Arc::new(service.give(owner.subject(), "me", rows)));
        let zero = Some(Duration::ZERO);
        let url = format!("{}/api/v1/media", lists.url);
        let by_hand = post(old).with_state((reqwest::Client::new(), url));
        let unguarded = |route| Router::new().route("/", route).layer(Extension(owner.clone()));
        let peers = [
            ("bare", unguarded(post(bare)), &of_lists),
            ("old", unguarded(by_hand), &of_lists),
            ("cold", guard(&lists, &owner, zero), &of_lists),
            ("default", guard(&lists, &owner, None), &of_lists),
            ("owned", guard(&knows, &owner, zero), &of_knows),
        ];
        for concurrent in CONCURRENT {
            let mut group = criterion.benchmark_group(format!("rows-{rows}"));
            group
                .sample_size(10)
                .warm_up_time(Duration::from_millis(500))
                .measurement_time(Duration::from_secs(2));
            for (peer, app, ids) in &peers {
                group.bench_function(BenchmarkId::new(*peer, concurrent), |bencher| {
                    bencher
                        .to_async(&runtime)
                        // At least as many as the concurrency.
                        .iter_custom(|requests| async move {
                            let sent = requests.max(concurrent * 4);
                            let time = send(app, ids, sent, concurrent).await;
                            time.mul_f64(requests as f64 / sent as f64)
                        });
                });
            }
        }
    }
}

criterion_group!(benches, remote);
criterion_main!(benches);
