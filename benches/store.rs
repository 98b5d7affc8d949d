//! Cost of the store, compared with plain files.
//!
//! - `owned`: the ownership query with 1, 16 and 256 ids, for owners with 10², 10⁴ and 10⁶ media
//!   (`OWNERS=1000000` for the last, which takes minutes to fill);
//! - `upload`: durable uploads of 200 KB, 1 and 8 at once, compared with `tokio::fs` writing and syncing;
//! - `deliver`: a cached rendition and an original, compared with reading the plain file.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    runtime::Runtime,
};
use tower_media::{
    MediaId, Owner, Ownership, OwnershipQuestion, Rendition, Scopes, Store, Upload,
    backend::MediaBackend, media::Transform,
};

const UPLOAD_SIZE: usize = 200 << 10;

fn upload(bytes: impl Into<Bytes>) -> Upload {
    Upload::new(bytes).scope("me")
}

/// Bytes that differ on each call.
fn fresh(size: usize) -> Bytes {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = vec![0x5a; size];
    bytes[..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes.into()
}

/// Uploads `count` media and returns their ids.
async fn fill(store: &Store, owner: &Owner, count: usize) -> Vec<MediaId> {
    let ids = stream::iter(0..count)
        .map(|_| async { store.upload(owner, upload(fresh(16))).await.map(|media| media.id) })
        .buffer_unordered(256);
    ids.try_collect().await.unwrap()
}

fn owned(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = TempDir::new().unwrap();
    let store = runtime.block_on(Store::open(folder.path())).unwrap();
    let most = std::env::var("OWNERS").map_or(10_000, |most| most.parse().unwrap());
    let mut group = criterion.benchmark_group("owned");
    for count in [100, 10_000, 1_000_000].into_iter().filter(|count| *count <= most) {
        let owner = Owner::new(format!("owner-{count}")).unwrap();
        let ids = runtime.block_on(fill(&store, &owner, count));
        for asked in [1, 16, 256] {
            let sets: Vec<Vec<_>> = (0..97)
                .map(|set| {
                    (0..asked).map(|n| ids[(set * 7919 + n * 104_729) % count].clone()).collect()
                })
                .collect();
            let scopes = Scopes::of(["me", "wardrobe"]).unwrap();
            let mut turn = 0;
            group.bench_function(BenchmarkId::new(format!("{asked} of"), count), |bencher| {
                bencher.to_async(&runtime).iter(|| {
                    turn += 1;
                    let (ids, store, owner, scopes) = (&sets[turn % 97], &store, &owner, &scopes);
                    async move {
                        let question = OwnershipQuestion::new(owner, scopes, ids);
                        assert!(!store.owned(&question).await.unwrap().is_empty());
                    }
                });
            });
        }
    }
}

/// Runs `work` a number of times, `at_once` concurrently.
async fn lanes<F>(times: u64, at_once: u64, work: impl Fn() -> F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let begin = Instant::now();
    stream::iter(0..times)
        .map(|_| tokio::spawn(work()))
        .buffer_unordered(at_once as usize)
        .map(Result::unwrap)
        .collect::<()>()
        .await;
    begin.elapsed()
}

async fn write_and_sync(folder: Arc<Path>) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
    let mut file = tokio::fs::File::create(folder.join(name)).await.unwrap();
    file.write_all(&fresh(UPLOAD_SIZE)).await.unwrap();
    file.sync_all().await.unwrap();
}

fn uploads(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("upload");
    group.throughput(Throughput::Bytes(UPLOAD_SIZE as u64)).sample_size(20);
    for at_once in [1, 8] {
        let folder = TempDir::new().unwrap();
        let plain: Arc<Path> = folder.path().into();
        group.bench_function(BenchmarkId::new("tokio::fs", at_once), |bencher| {
            bencher.to_async(&runtime).iter_custom(|times| {
                let plain = plain.clone();
                lanes(times, at_once, move || write_and_sync(plain.clone()))
            });
        });
        let folder = TempDir::new().unwrap();
        let store = runtime.block_on(Store::open(folder.path())).unwrap();
        group.bench_function(BenchmarkId::new("store", at_once), |bencher| {
            bencher.to_async(&runtime).iter_custom(|times| {
                let store = store.clone();
                lanes(times, at_once, move || {
                    let store = store.clone();
                    async move {
                        let ana = Owner::new("ana").unwrap();
                        store.upload(&ana, upload(fresh(UPLOAD_SIZE))).await.unwrap();
                    }
                })
            });
        });
    }
}

fn deliver(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = TempDir::new().unwrap();
    let store = runtime.block_on(Store::open(folder.path())).unwrap();
    let ana = Owner::new("ana").unwrap();
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/plain-2400x1600.jpg");
    let media =
        runtime.block_on(store.upload(&ana, upload(std::fs::read(picture).unwrap()))).unwrap();
    let rendition = Rendition::from(Transform::new().with_width(1600).with_quality(100));
    let length = |what: Rendition| {
        let got = runtime.block_on(store.download(&media.id, &what.into())).unwrap();
        runtime.block_on(got.into_bytes(1 << 30)).unwrap().len()
    };
    let mut group = criterion.benchmark_group("deliver");
    for (name, what) in [("rendition", rendition), ("original", Rendition::Original)] {
        let bytes = length(what);
        let plain = folder.path().join(name);
        std::fs::write(&plain, fresh(bytes)).unwrap();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("tokio::fs", name), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let mut file = tokio::fs::File::open(&plain).await.unwrap();
                let mut chunk = vec![0; 128 << 10];
                while file.read(&mut chunk).await.unwrap() > 0 {}
            });
        });
        group.bench_function(BenchmarkId::new("store", name), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let got = store.download(&media.id, &what.into()).await.unwrap();
                got.into_stream().try_for_each(|_| async { Ok(()) }).await.unwrap();
            });
        });
    }
}

criterion_group!(benches, owned, uploads, deliver);
criterion_main!(benches);
