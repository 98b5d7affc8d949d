//! G18: a refusal reaches a client that is still sending. Over sockets, because the fault is in the framing.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path},
    routing::post,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tower_media::{
    UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    routes::{ServiceKeys, ServiceRoutes, UploadPolicy},
};

use super::support::{Form, World, file, png, signed_in};

const KEY: &str = "0123456789abcdef-key";

async fn by_path(VerifiedMedia(..): VerifiedMedia<Path<UnverifiedId>>) {}

async fn by_body(VerifiedMedia(..): VerifiedMedia<Json<Vec<UnverifiedId>>>) {}

pub async fn start() -> SocketAddr {
    let media = World::new().media;
    let policy = UploadPolicy::images().scope("me").max_bytes(1 << 30);
    let guarded = Router::new()
        .route(
            "/path/{id}",
            post(by_path).layer(VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone())),
        )
        .route(
            "/json",
            post(by_body).layer(VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media.clone())),
        )
        .layer((DefaultBodyLimit::max(1 << 20), media.layer()));
    let app = signed_in(
        guarded
            .merge(media.upload_routes("/up", policy.clone()))
            .merge(media.upload_routes("/small", policy.max_bytes(1000)))
            .merge(media.delivery_routes()),
    )
    .merge(ServiceRoutes::new(media, ServiceKeys::new(KEY).unwrap()).max_bytes(1000).into_router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// A request that is refused with `status` before its body is read.
#[derive(Debug)]
pub struct Refusal {
    pub method: &'static str,
    pub path: &'static str,
    pub headers: Vec<(&'static str, &'static str)>,
    pub status: u16,
}

impl Refusal {
    /// The request line and headers, without the empty line.
    fn head(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("\r\n{name}: {value}"));
        format!("{} {} HTTP/1.1{}", self.method, self.path, headers.collect::<String>())
    }
}

/// One request for each refusal of the guard and of all routes.
pub fn refusals() -> Vec<Refusal> {
    let (form, text) = (("Content-Type", Form::TYPE), ("Content-Type", "text/plain"));
    let (ana, key) = (("x-user", "ana"), ("X-Service-Key", KEY));
    let upload = "/api/v1/media/upload";
    [
        ("POST", "/path/m-1", vec![], 401),
        ("POST", "/path/m-1", vec![ana], 404),
        ("POST", "/path/a%20b", vec![ana], 400),
        ("POST", "/json", vec![], 401),
        ("POST", "/json", vec![ana, ("Content-Type", "application/json")], 413),
        ("POST", "/up", vec![form], 401),
        ("POST", "/up", vec![form, ana, ("Sec-Fetch-Site", "cross-site")], 403),
        ("POST", "/up", vec![ana, text], 415),
        ("POST", "/up", vec![form, ana], 415),
        ("PUT", "/up", vec![ana], 405),
        ("POST", "/small", vec![form, ana], 413),
        ("POST", "/media/m-1/file", vec![ana], 405),
        ("POST", upload, vec![form], 401),
        ("POST", upload, vec![key, text], 400),
        ("POST", upload, vec![key, form], 400),
        ("DELETE", "/api/v1/media/m-1", vec![key], 404),
    ]
    .into_iter()
    .map(|(method, path, headers, status)| Refusal { method, path, headers, status })
    .collect()
}

/// A client that sends everything before it reads, as Python's `http.client` does.
async fn send_then_read(address: SocketAddr, head: &str, size: usize) -> Result<String, String> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!("{head}\r\nHost: x\r\nContent-Length: {size}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
    let text = Form::new().with(file("a.txt", b"no picture ")).bytes();
    let begin = text.strip_suffix(b"\r\n--boundary--\r\n").unwrap();
    let mut body = begin.to_vec();
    body.resize(size, b'x');
    for chunk in body.chunks(size.div_ceil(20)) {
        socket.write_all(chunk).await.map_err(|error| error.to_string())?;
        sleep(Duration::from_millis(10)).await;
    }
    let mut answer = vec![0; 4096];
    let length = timeout(Duration::from_secs(20), socket.read(&mut answer)).await;
    let length = length.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_a_refusal_reaches_a_client_that_is_still_sending() {
    let address = start().await;
    let mut lost = Vec::new();
    for size in [300_000, 3 << 20, 20 << 20] {
        for refusal in refusals() {
            let (head, status) = (refusal.head(), refusal.status);
            match send_then_read(address, &head, size).await {
                Ok(answer) if answer.starts_with(&format!("HTTP/1.1 {status}")) => {}
                // A body within the limit is read to its end, and then refused as malformed.
                Ok(answer) if size == 300_000 && answer.starts_with("HTTP/1.1 4") => {}
                other => lost.push(format!("{size} bytes, {status}, {head:?}: {other:?}")),
            }
        }
    }
    assert!(lost.is_empty(), "{} answers lost:\n{}", lost.len(), lost.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_a_refusal_comes_before_100_continue() {
    let address = start().await;
    for refusal in refusals().into_iter().filter(|refusal| refusal.status == 401) {
        let (head, status) = (refusal.head(), refusal.status);
        let mut socket = TcpStream::connect(address).await.unwrap();
        let head =
            format!("{head}\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        // The connection stays open until the drain has given up.
        let mut answer = String::new();
        let read = timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await;
        assert!(read.is_ok(), "the drain is bounded");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(!answer.contains("100 Continue"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g18_the_drain_ends_after_a_bounded_time() {
    let address = start().await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let sends_on = async {
        while socket.write_all(&png(100)).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(Duration::from_secs(10), sends_on).await.is_ok(), "the server closes");
}
