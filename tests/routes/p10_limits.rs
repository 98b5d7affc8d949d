//! P10: limits hold while a request is read, whatever length it declares, and a cut upload leaves nothing.
//! Over sockets, because the framing on the wire is under test.

use std::{path::Path, time::Duration};

use axum::{Router, body::Body, http::StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower_media::{MediaState, Store, routes::UploadPolicy};

use super::support::{Form, World, file, owner, png, send, signed_in, text};

/// A server over a store in its own folder.
struct Server {
    folder: TempDir,
    media: MediaState,
    address: std::net::SocketAddr,
}

impl Server {
    async fn new(policy: UploadPolicy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let media = MediaState::new(Store::open(folder.path()).await.unwrap());
        let app: Router = signed_in(media.upload_routes("/up", policy));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { folder, media, address }
    }

    /// Sends the bytes unchanged, and returns the status of the response, if any.
    async fn send(&self, request: &[u8]) -> Option<u16> {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        // The server may have answered and closed before it has read everything.
        let _ = socket.write_all(request).await;
        status(&mut socket).await
    }

    /// Counts the files of uploads, complete or not.
    fn left(&self) -> usize {
        let folders = ["incoming", "blobs"];
        folders.iter().map(|name| count(&self.folder.path().join(name))).sum()
    }

    async fn assert_empty(&self, what: &str) {
        assert_eq!(self.media.stats(&owner("ana")).await.unwrap().count, 0, "{what}");
        // The server notices the end of the connection on its own.
        let gone = async {
            while self.left() > 0 {
                tokio::task::yield_now().await;
            }
        };
        let gone = timeout(Duration::from_secs(60), gone).await;
        assert!(gone.is_ok(), "{what}: {} files are left", self.left());
    }
}

fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

async fn status(socket: &mut TcpStream) -> Option<u16> {
    let mut line = [0; "HTTP/1.1 200".len()];
    socket.read_exact(&mut line).await.ok()?;
    std::str::from_utf8(&line[9..]).ok()?.parse().ok()
}

fn head(framing: &str) -> Vec<u8> {
    let content_type = Form::TYPE;
    format!(
        "POST /up HTTP/1.1\r\nHost: x\r\nx-user: ana\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\n{framing}\r\n\r\n"
    )
    .into_bytes()
}

fn with_length(body: &[u8], length: usize) -> Vec<u8> {
    [&head(&format!("Content-Length: {length}")), body].concat()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut request = head("Transfer-Encoding: chunked");
    for chunk in body.chunks(size) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

const MAX: u64 = 200 << 10;

fn policy() -> UploadPolicy {
    UploadPolicy::images().scope("me").max_bytes(MAX).max_files(2)
}

fn form(length: usize) -> Bytes {
    Form::new().with(file("a.png", &png(length))).bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_a_file_is_bounded_whatever_length_is_declared() {
    let server = Server::new(policy()).await;
    let over = form(MAX as usize + 1);
    assert_eq!(server.send(&with_length(&over, over.len())).await, Some(413));
    assert_eq!(server.send(&chunked(&over, 1000)).await, Some(413));
    // Declares too much, and sends nothing.
    assert_eq!(server.send(&with_length(b"", 1 << 40)).await, Some(413));
    let endless = Form::new().with(file("a.png", &png(8 << 20))).bytes();
    assert_eq!(server.send(&chunked(&endless, 1 << 20)).await, Some(413));
    server.assert_empty("too large").await;

    let exact = form(MAX as usize);
    assert_eq!(server.send(&chunked(&exact, 777)).await, Some(201));
    assert_eq!(server.send(&with_length(&exact, exact.len())).await, Some(201));
    assert_eq!(server.left(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_an_upload_that_is_cut_leaves_nothing() {
    let server = Server::new(policy()).await;
    let whole = form(150 << 10);
    for cut in [1, 150, 64 << 10, 128 << 10, whole.len() - 5] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(&head(&format!("Content-Length: {}", whole.len()))).await.unwrap();
        socket.write_all(&whole[..cut]).await.unwrap();
        drop(socket);
        server.assert_empty(&format!("cut at {cut}")).await;
        // The request ends, but the form does not.
        assert_eq!(server.send(&with_length(&whole[..cut], cut)).await, Some(400), "{cut}");
        server.assert_empty(&format!("ended at {cut}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_one_byte_at_a_time_stores_the_same_image() {
    let server = Server::new(policy()).await;
    let form = Form::new().with(text("title", "x")).with(file("a.png", &png(3000))).bytes();
    assert_eq!(server.send(&chunked(&form, 1)).await, Some(201));
    let page = server.media.list(&owner("ana"), &Default::default()).await.unwrap();
    assert_eq!(page.items[0].hash, tower_media::media::ContentHash::of(&png(3000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_parts_heads_and_fields_are_bounded() {
    let server = Server::new(policy()).await;
    let picture = file("a.png", &png(500));
    let fields = |count: usize| (0..count).fold(Form::new(), |form, _| form.with(text("a", "b")));
    let long_head = format!(
        "--boundary\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n",
        "x".repeat(100 << 10)
    );
    let many_heads = format!("--boundary\r\n{}\r\n", "x-a: b\r\n".repeat(20_000));
    for (what, form, status) in [
        ("a few fields", fields(99).with(picture.clone()).bytes(), 201),
        ("many fields", fields(101).with(picture.clone()).bytes(), 413),
        ("tiny parts", fields(100_000).bytes(), 413),
        ("a long field", Form::new().with(text("a", &"x".repeat(300 << 10))).bytes(), 413),
        ("a long head", long_head.into(), 413),
        ("many heads", many_heads.into(), 413),
        ("a preamble", "x".repeat(1 << 20).into(), 413),
    ] {
        assert_eq!(server.send(&chunked(&form, 8192)).await, Some(status), "{what}");
    }
    let files = (0..1000).fold(Form::new(), |form, _| form.with(picture.clone())).bytes();
    assert_eq!(server.send(&chunked(&files, 8192)).await, Some(422));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_a_file_of_another_type_is_refused_by_its_first_bytes() {
    let server = Server::new(policy()).await;
    let page = format!("<html>{}", " ".repeat(600));
    let begin = Form::new().with(file("a.png", page.as_bytes())).bytes();
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&head("Content-Length: 150000")).await.unwrap();
    // The rest is never sent, and the connection stays open.
    socket.write_all(&begin[..begin.len() - 20]).await.unwrap();
    assert_eq!(status(&mut socket).await, Some(415));
    server.assert_empty("another type").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_a_stalled_client_is_answered_408_and_leaves_nothing() {
    let (idle, whole) = (Duration::from_millis(100), Duration::from_secs(600));
    let policy_of_one = policy().max_concurrent(1, 1);
    let server = Server::new(policy_of_one.clone().time_limits(idle, whole)).await;
    let form = form(150 << 10);
    // After the head of the request, in the head of a part, in the file, and in the closing boundary.
    for cut in [0, 60, 100 << 10, form.len() - 5] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let head = head(&format!("Content-Length: {}", form.len()));
        // Keep-alive, but the rest of the request is missing, so the server closes the connection.
        let head = String::from_utf8(head).unwrap().replace("Connection: close\r\n", "");
        socket.write_all(&[head.as_bytes(), &form[..cut]].concat()).await.unwrap();
        let mut answer = String::new();
        let closed = timeout(Duration::from_secs(60), socket.read_to_string(&mut answer)).await;
        closed.expect("the server closes the connection").unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{cut}: {answer}");
        assert!(answer.contains("urn:problem:tower-media:upload-too-slow"), "{cut}: {answer}");
        server.assert_empty(&format!("stopped at {cut}")).await;
    }
    // The only permit, which clones of the policy share, was returned each time.
    let app = signed_in(server.media.upload_routes("/up", policy_of_one));
    let whole = Form::new().with(file("a.png", &png(150 << 10)));
    assert_eq!(send(&app, whole.by("ana")).await.status, StatusCode::CREATED);
}

/// Sends a form with one chunk of 10 bytes per second, which stalls after `chunks`.
async fn slowly(policy: UploadPolicy, chunks: usize) -> StatusCode {
    let world = World::new();
    let app = signed_in(world.media.upload_routes("/up", policy));
    let whole = form(100_000);
    let mut request = Form::new().by("ana");
    let begin = stream::iter((0..chunks).map(move |n| whole.slice(n * 10..(n + 1) * 10)));
    let slow = begin.then(|chunk| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, String>(chunk)
    });
    *request.body_mut() = Body::from_stream(slow.chain(stream::pending()));
    let status = send(&app, request).await.status;
    assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 0);
    status
}

#[tokio::test(start_paused = true)]
async fn p10_idle_and_total_timeouts_end_an_upload() {
    let began = tokio::time::Instant::now();
    let (idle, whole) = (Duration::from_secs(5), Duration::from_secs(60));
    let policy = policy().time_limits(idle, whole).min_rate(0);
    assert_eq!(slowly(policy.clone(), 20).await, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(began.elapsed().as_secs(), 25);
    let began = tokio::time::Instant::now();
    assert_eq!(slowly(policy, 5000).await, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn p17_an_upload_below_the_minimum_rate_is_408() {
    let began = tokio::time::Instant::now();
    assert_eq!(slowly(policy(), 5000).await, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(began.elapsed().as_secs(), 30);
    // At 10 bytes per second the rate is kept until the client stops for the idle timeout.
    let began = tokio::time::Instant::now();
    assert_eq!(slowly(policy().min_rate(10), 100).await, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(began.elapsed().as_secs(), 120);
}
