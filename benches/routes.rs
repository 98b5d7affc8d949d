//! The cost of delivery, compared with a plain file: the same 200 KB from tower-http's `ServeDir` and from
//! the delivery routes over a store in a folder, in one process, over persistent connections.
//!
//! - `serve_dir` is the plain file;
//! - `link` checks a signature, `owner` runs the guard, and both look up the media in the store;
//! - `not_modified` is a conditional request with a link;
//! - `thumbnail` is a stored rendition.
//!
//! The time is that of one request at a concurrency of eight. The client runs on the same machine.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a bench")]

#[path = "load/connection.rs"]
mod connection;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, Router};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::{net::TcpListener, runtime::Runtime};
use tower_http::services::ServeDir;
use tower_media::{MediaState, Owner, Rendition, Store, Upload, media::Variant, routes::UrlSigner};

use self::connection::Connection;

const LENGTH: usize = 200_000;
const CONCURRENT: u64 = 8;

/// A real image, padded after its end to the wanted length.
fn picture() -> Vec<u8> {
    let mut bytes = include_bytes!("../tests/fixtures/images/plain-1000x700.jpg").to_vec();
    bytes.extend((bytes.len()..LENGTH).map(|n| (n % 251) as u8));
    bytes
}

async fn drive(address: SocketAddr, request: &str, status: u16, count: u64) -> Duration {
    let request: Arc<[u8]> = request.as_bytes().into();
    let left = Arc::new(AtomicU64::new(count));
    let mut connections = Vec::new();
    for _ in 0..CONCURRENT.min(count) {
        connections.push(Connection::open(address).await);
    }
    let began = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            let (request, left) = (Arc::clone(&request), Arc::clone(&left));
            tokio::spawn(async move {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
                {
                    connection.send(&request, status).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    began.elapsed()
}

fn routes(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plain = tempfile::tempdir().unwrap();
    std::fs::write(plain.path().join("cat.jpg"), picture()).unwrap();

    let (address, requests) = runtime.block_on(async {
        let signer = UrlSigner::new("k", [1; 32]).unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let media = MediaState::builder(store).url_signer(signer).build();
        let ana = Owner::new("ana").unwrap();
        let upload = Upload::new(picture()).file_name("cat.jpg").scope("me");
        let id = media.upload(&ana, upload).await.unwrap().id;
        media.wait_until_ready(&id, Duration::from_secs(60)).await.unwrap();
        let app: Router = Router::new()
            .merge(media.delivery_routes())
            .layer(Extension(ana))
            .nest_service("/plain", ServeDir::new(plain.path()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

        let link = |rendition: Rendition| {
            media.signed_url(&id, rendition, Duration::from_secs(3600)).unwrap()
        };
        let get =
            |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let original = link(Rendition::Original);
        let requests = [
            ("serve_dir", get("/plain/cat.jpg", ""), 200),
            ("link", get(&original, ""), 200),
            ("owner", get(&format!("/media/{id}/file"), ""), 200),
            ("not_modified", get(&original, "If-None-Match: *\r\n"), 304),
            ("thumbnail", get(&link(Variant::Thumbnail.into()), ""), 200),
        ];
        (address, requests)
    });

    let mut group = c.benchmark_group("delivery");
    for (name, request, status) in requests {
        let send =
            async { Connection::open(address).await.send(request.as_bytes(), status).await.0 };
        let length = runtime.block_on(send);
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| runtime.block_on(drive(address, &request, status, count)));
        });
    }
    group.finish();
}

criterion_group!(benches, routes);
criterion_main!(benches);
