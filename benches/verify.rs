//! The time of the guard, compared with its peers. `cases` lists them.
//!
//! The time does not include making the request and dropping the response.

#![allow(missing_docs, reason = "a bench")]

mod cases;

use axum::{body::Body, extract::Request, http::StatusCode};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use tokio::runtime;
use tower::Service as _;

fn verify(criterion: &mut Criterion) {
    let runtime = runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for case in cases::all() {
        let id = BenchmarkId::new(case.peer, case.ids);
        criterion.benchmark_group(case.source).bench_function(id, |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || case.request(),
                |request| case.answer(request),
                BatchSize::SmallInput,
            );
        });
    }
}

/// Refusals of a foreign id, and of an absent one, twice: the difference between the two equal cases is the
/// noise for the difference between foreign and absent (promise G5).
fn refuse(criterion: &mut Criterion) {
    let runtime = runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (app, foreign, absent) = runtime.block_on(cases::refusing());
    let mut group = criterion.benchmark_group("refused");
    for (name, uri) in [("absent", &absent), ("foreign", &foreign), ("absent-again", &absent)] {
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || (app.clone(), Request::get(uri).body(Body::empty()).expect("a request")),
                |(mut app, request)| async move {
                    let Ok(response) = app.call(request).await;
                    assert_eq!(response.status(), StatusCode::NOT_FOUND);
                    response
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, verify, refuse);
criterion_main!(benches);
