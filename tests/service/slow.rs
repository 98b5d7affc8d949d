//! P10 and R7: an upload that stalls gets a response and leaves nothing; uploads beyond the bound are refused at once.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::join_all, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};
use tower::ServiceExt as _;
use tower_media::Owner;

use crate::support::{Home, KEY, Server, files};

const TYPE: &str = "multipart/form-data; boundary=b";

/// A form of a user with a file of `length` bytes.
fn form(user: &str, length: usize) -> Vec<u8> {
    let head = |what: &str| format!("--b\r\nContent-Disposition: form-data; {what}\r\n\r\n");
    let mut form = head("name=\"app\"") + "me\r\n" + &head("name=\"userId\"") + user + "\r\n";
    form += &head("name=\"file\"; filename=\"a.bin\"");
    let mut form = form.into_bytes();
    form.extend(user.bytes().cycle().take(length));
    form.extend(b"\r\n--b--\r\n");
    form
}

fn request(body: impl Into<Body>) -> Request<Body> {
    Request::post("/api/v1/media/upload")
        .header("x-service-key", KEY)
        .header(header::CONTENT_TYPE, TYPE)
        .body(body.into())
        .unwrap()
}

async fn count(home: &Home, user: &str) -> u64 {
    use tower_media::backend::MediaBackend as _;
    home.store.stats(&Owner::new(user).unwrap()).await.unwrap().count
}

/// Sends these bytes over a keep-alive connection, then stalls, and returns the response once the server closes
/// the connection.
async fn stop_after(server: &Server, bytes: &[u8]) -> String {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = String::new();
    let closed = timeout(Duration::from_secs(60), socket.read_to_string(&mut answer)).await;
    closed.expect("the server closes the connection").unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_a_stalled_upload_is_answered_and_leaves_nothing() {
    let home = Home::new().await;
    let routes = home.routes().idle_timeout(Duration::from_millis(100)).max_uploads(1);
    let app: Router = routes.into_router();
    let server = Server::start(app.clone()).await;
    let whole = form("ana", 600 << 10);
    let head = format!(
        "POST /api/v1/media/upload HTTP/1.1\r\nHost: x\r\nX-Service-Key: {KEY}\r\n\
         Content-Type: {TYPE}\r\n"
    );
    // After the request's header, in the header of a part, in the file while it is in memory, in the file on
    // disk, and before the end of the form.
    for cut in [0, 60, 2_000, 400 << 10, whole.len() - 4] {
        let announced = format!("{head}Content-Length: {}\r\n\r\n", whole.len());
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{cut:x}\r\n");
        for header in [announced, chunked] {
            if cut == 0 && header.contains("chunked") {
                continue;
            }
            let answer = stop_after(&server, &[header.as_bytes(), &whole[..cut]].concat()).await;
            assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{cut}: {answer}");
            assert!(answer.ends_with("{\"error\":\"The upload was too slow\"}"), "{answer}");
            assert_eq!(count(&home, "ana").await, 0);
            for folder in ["blobs", "incoming"] {
                assert!(files(&home.folder.path().join(folder)).is_empty(), "{cut}: {folder}");
            }
        }
    }
    // Every upload has returned its permit.
    let served = app.oneshot(request(whole)).await.unwrap();
    assert_eq!(served.status(), 201);
}

#[tokio::test]
async fn r07_concurrent_uploads_beyond_the_bound_are_refused_at_once() {
    let home = Home::new().await;
    let app: Router = home.routes().max_uploads(8).into_router();
    let mut held = Vec::new();
    let mut refused = 0;
    for n in 0..64 {
        let (release, released) = oneshot::channel::<()>();
        let whole = Bytes::from(form(&format!("user-{n}"), 5_000));
        let begin = stream::iter([Ok::<_, std::io::Error>(whole.slice(..1_000))]);
        let end = stream::once(async move {
            released.await.map(|()| whole.slice(1_000..)).map_err(std::io::Error::other)
        });
        let body = Body::from_stream(begin.chain(end));
        let mut answer = Box::pin(app.clone().oneshot(request(body)));
        match answer.as_mut().now_or_never() {
            None => held.push((release, answer)),
            Some(response) => {
                let response = response.unwrap();
                assert_eq!(response.status(), 503);
                assert_eq!(response.headers()[header::RETRY_AFTER], "1");
                refused += 1;
            }
        }
    }
    assert_eq!((held.len(), refused), (8, 56));
    // Half of the clients disconnect, and others get their permits.
    held.truncate(4);
    for n in 0..4 {
        let late = app.clone().oneshot(request(form(&format!("late-{n}"), 10))).await.unwrap();
        assert_eq!(late.status(), 201);
    }
    for (release, answer) in held {
        release.send(()).unwrap();
        assert_eq!(answer.await.unwrap().status(), 201);
    }
    assert_eq!(files(&home.folder.path().join("blobs")).len(), 8);
    assert!(files(&home.folder.path().join("incoming")).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r07_sixty_four_concurrent_uploads_succeed() {
    let home = Home::new().await;
    let app: Router = home.routes().into_router();
    let uploads = (0..64).map(|n| {
        let (app, user) = (app.clone(), format!("user-{n}"));
        tokio::spawn(async move {
            let response: Response = app.oneshot(request(form(&user, 300 << 10))).await.unwrap();
            response.status().as_u16()
        })
    });
    for status in join_all(uploads).await {
        assert_eq!(status.unwrap(), 201);
    }
    for n in 0..64 {
        assert_eq!(count(&home, &format!("user-{n}")).await, 1);
    }
    assert_eq!(files(&home.folder.path().join("blobs")).len(), 64);
}
