//! What the guard costs in time, beside its peers. `cases` says who they are.
//!
//! Making the request and dropping the answer are not part of what is timed.

#![allow(missing_docs, reason = "a bench")]

mod cases;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use tokio::runtime;

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

criterion_group!(benches, verify);
criterion_main!(benches);
