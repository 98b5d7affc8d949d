//! What delivery costs beside serving a plain file: the same 200 KB by tower-http's `ServeDir` and by the
//! delivery routes over a store in a folder, in one process, over connections that are kept open.
//!
//! - `serve_dir` is the plain file;
//! - `link` checks a signature, `owner` asks the guard, and both look the media up in the store;
//! - `not_modified` is a link to what the client has;
//! - `thumbnail` is a stored rendition.
//!
//! The time is that of one request when eight are under way. The client shares the machine.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

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
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tower_http::services::ServeDir;
use tower_media::{Embedded, MediaState, Owner, Rendition, Upload, UrlSigner, Variant};

const LENGTH: usize = 200_000;
const CONCURRENT: u64 = 8;

/// A real picture, with something behind its end that makes it as long as it is to be.
fn picture() -> Vec<u8> {
    let mut bytes = include_bytes!("../tests/fixtures/images/plain-1000x700.jpg").to_vec();
    bytes.extend((bytes.len()..LENGTH).map(|n| (n % 251) as u8));
    bytes
}

struct Connection(TcpStream, Vec<u8>);

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap(), vec![0; 1 << 20])
    }

    /// Sends a request, reads the answer to its end, and returns how long its body was.
    async fn send(&mut self, request: &str, status: &str) -> usize {
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut read = 0;
        let (head, body) = loop {
            read += self.0.read(&mut self.1[read..]).await.unwrap();
            if let Some(end) = self.1[..read].windows(4).position(|four| four == b"\r\n\r\n") {
                break (end + 4, read - end - 4);
            }
        };
        let head = std::str::from_utf8(&self.1[..head]).unwrap().to_ascii_lowercase();
        assert!(head.starts_with(status), "{head}");
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        let mut left = length - body;
        while left > 0 {
            left -= self.0.read(&mut self.1).await.unwrap();
        }
        length
    }
}

async fn drive(address: SocketAddr, request: &str, status: &'static str, count: u64) -> Duration {
    let request: Arc<str> = request.into();
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
        let store = Embedded::open(folder.path()).await.unwrap();
        let media = MediaState::builder(store).url_signer(signer).build();
        let ana = Owner::new("ana").unwrap();
        let upload = Upload::new(picture()).filename("cat.jpg").owned_by(&ana).scope("me");
        let id = media.upload(upload).await.unwrap().id;
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
            ("serve_dir", get("/plain/cat.jpg", ""), "http/1.1 200"),
            ("link", get(&original, ""), "http/1.1 200"),
            ("owner", get(&format!("/media/{id}/file"), ""), "http/1.1 200"),
            ("not_modified", get(&original, "If-None-Match: *\r\n"), "http/1.1 304"),
            ("thumbnail", get(&link(Variant::Thumbnail.into()), ""), "http/1.1 200"),
        ];
        (address, requests)
    });

    let mut group = c.benchmark_group("delivery");
    for (name, request, status) in requests {
        let length = runtime
            .block_on(async { Connection::open(address).await.send(&request, status).await });
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| runtime.block_on(drive(address, &request, status, count)));
        });
    }
    group.finish();
}

criterion_group!(benches, routes);
criterion_main!(benches);
