//! Resumable uploads by the tus protocol (promises U1 to U5).

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, StatusCode, request::Builder},
};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use bytes::Bytes;
use futures_util::stream;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower_media::{
    MediaId, Rendition,
    routes::{PartialUploads, UploadPolicy, UploadRoutes},
    testkit::Fault,
};

use super::support::{Answer, World, get, png, send, signed_in};

const EARLY: Duration = Duration::from_secs(0);

fn policy() -> UploadPolicy {
    UploadPolicy::images().scope("me").max_bytes(10 << 20)
}

fn app(world: &World, partial_uploads: PartialUploads) -> Router {
    let routes = UploadRoutes::new(world.media.clone(), "/up", policy()).quota(20 << 20);
    signed_in(routes.tus(partial_uploads).into_router())
}

fn tus(method: &str, path: &str) -> Builder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::builder().method(method).uri(path);
    request.header("tus-resumable", "1.0.0").header("x-user", "ana")
}

fn part(path: &str, offset: usize) -> Builder {
    tus("PATCH", path)
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream")
}

async fn create(app: &Router, length: usize) -> String {
    let created = get(app, tus("POST", "/up/tus").header("upload-length", length)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    location(&created)
}

/// The path to which the relative `Location` leads.
fn location(created: &Answer) -> String {
    format!("/up/{}", created.header("location"))
}

async fn append(app: &Router, path: &str, offset: usize, bytes: &[u8]) -> Answer {
    send(app, part(path, offset).body(Body::from(bytes.to_vec())).unwrap()).await
}

async fn offset(app: &Router, path: &str) -> String {
    let answer = get(app, tus("HEAD", path)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.header("upload-offset").to_owned()
}

async fn original(world: &World, answer: &Answer) -> Bytes {
    let id = MediaId::from_trusted(answer.header("media-id")).unwrap();
    world.media.download(&id, Rendition::Original).await.unwrap().into_bytes(8 << 20).await.unwrap()
}

#[tokio::test]
async fn u05_parts_become_the_media_that_one_upload_would_be() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let bytes = png(5_000_000);
    let metadata =
        format!("filename {},filetype {}", BASE64.encode("cat.png"), BASE64.encode("image/png"));
    let created = tus("POST", "/up/tus").header("upload-length", bytes.len());
    let created = get(&app, created.header("upload-metadata", metadata)).await;
    let path = location(&created);
    assert!(!created.header("upload-expires").is_empty());
    for (start, end) in [(0, 10), (10, 3_000_000), (3_000_000, 5_000_000)] {
        assert_eq!(offset(&app, &path).await, start.to_string());
        let answer = append(&app, &path, start, &bytes[start..end]).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        assert_eq!(answer.header("upload-offset"), end.to_string());
    }
    let head = get(&app, tus("HEAD", &path)).await;
    assert_eq!(head.header("upload-length"), "5000000");
    assert_eq!(original(&world, &head).await, bytes);
    let id = MediaId::from_trusted(head.header("media-id")).unwrap();
    let record = world.media.get(&id).await.unwrap();
    assert_eq!(record.file_name.as_deref(), Some("cat.png"));
    assert_eq!(head.header("content-location"), record.urls.original);
    // The last part again, as a client sends it that did not get the answer.
    let again = append(&app, &path, bytes.len(), b"").await;
    assert_eq!(again.header("media-id"), head.header("media-id"));
    assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 1);
}

#[tokio::test]
async fn u01_bytes_before_a_broken_connection_are_kept() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let bytes = png(3_000_000);
    let path = create(&app, bytes.len()).await;
    let broken =
        [Ok(Bytes::copy_from_slice(&bytes[..2_500_000])), Err(std::io::Error::other("reset"))];
    let request = part(&path, 0).body(Body::from_stream(stream::iter(broken))).unwrap();
    assert_eq!(send(&app, request).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(offset(&app, &path).await, "2500000");
    let answer = append(&app, &path, 2_500_000, &bytes[2_500_000..]).await;
    assert_eq!(original(&world, &answer).await, bytes);
}

#[tokio::test]
async fn u01_another_node_continues_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let bytes = png(1_000_000);
    let first = app(&world, PartialUploads::in_folder(folder.path()).unwrap());
    let path = create(&first, bytes.len()).await;
    append(&first, &path, 0, &bytes[..600_000]).await;
    let second = app(&world, PartialUploads::in_folder(folder.path()).unwrap());
    assert_eq!(offset(&second, &path).await, "600000");
    let answer = append(&second, &path, 600_000, &bytes[600_000..]).await;
    assert_eq!(original(&world, &answer).await, bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u01_a_client_that_disconnects_continues_where_it_was() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let bytes = png(4_000_000);
    let path = create(&app, bytes.len()).await;
    let address = listen(app.clone()).await;
    let mut sent = 0;
    while sent < bytes.len() {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nHost: x\r\nx-user: ana\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {sent}\r\n\
             Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
            bytes.len() - sent
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let end = bytes.len().min(sent + 700_000);
        socket.write_all(&bytes[sent..end]).await.unwrap();
        if end == bytes.len() {
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 204");
        }
        drop(socket);
        sent = settled(&app, &path, sent).await;
    }
    let head = get(&app, tus("HEAD", &path)).await;
    assert_eq!(original(&world, &head).await, bytes);
    assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 1);
}

/// The offset, once the server has kept what it received.
async fn settled(app: &Router, path: &str, before: usize) -> usize {
    loop {
        let now: usize = offset(app, path).await.parse().unwrap();
        if now > before {
            return now;
        }
        tokio::task::yield_now().await;
    }
}

async fn listen(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

#[tokio::test]
async fn u02_an_upload_does_not_exist_for_another_owner() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let path = create(&app, 1000).await;
    let unknown = "/up/tus/0123456789abcdef0123456789abcdef";
    for method in ["HEAD", "PATCH", "DELETE"] {
        let answer = async |path: &str, user: &str| {
            let mut request = part(path, 0).method(method).body(Body::from("x")).unwrap();
            request.headers_mut().insert("x-user", user.parse().unwrap());
            send(&app, request).await
        };
        let foreign = answer(&path, "bob").await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND);
        assert_eq!(format!("{foreign:?}"), format!("{:?}", answer(unknown, "bob").await));
        assert_eq!(format!("{foreign:?}"), format!("{:?}", answer(unknown, "ana").await));
        let mut unsigned = part(&path, 0).method(method).body(Body::empty()).unwrap();
        unsigned.headers_mut().remove("x-user");
        assert_eq!(send(&app, unsigned).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(offset(&app, &path).await, "0");
}

#[tokio::test]
async fn u02_of_two_requests_at_one_offset_one_continues() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let bytes = png(100_000);
    let path = create(&app, bytes.len()).await;
    let half = &bytes[..50_000];
    let (a, b) = tokio::join!(append(&app, &path, 0, half), append(&app, &path, 0, half));
    let mut statuses = [a.status, b.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::NO_CONTENT, StatusCode::CONFLICT]);
    assert_eq!(offset(&app, &path).await, "50000");
    let answer = append(&app, &path, 50_000, &bytes[50_000..]).await;
    assert_eq!(original(&world, &answer).await, bytes);
}

#[tokio::test]
async fn u03_lengths_are_refused_before_bytes_are_taken() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let create = async |length: u64| {
        get(&app, tus("POST", "/up/tus").header("upload-length", length)).await.status
    };
    assert_eq!(create(10 << 20).await, StatusCode::CREATED);
    assert_eq!(create((10 << 20) + 1).await, StatusCode::PAYLOAD_TOO_LARGE);
    let path = super::u_tus::create(&app, 1000).await;
    let long = append(&app, &path, 0, &png(1001)).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(offset(&app, &path).await, "0");
    // A body without a declared length is counted.
    let chunks = stream::iter([Ok::<_, std::io::Error>(png(600)), Ok(png(600))]);
    let request = part(&path, 0).body(Body::from_stream(chunks)).unwrap();
    assert_eq!(send(&app, request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(offset(&app, &path).await, "600");
}

#[tokio::test]
async fn u03_a_deferred_length_is_bounded_and_set_once() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let created = get(&app, tus("POST", "/up/tus").header("upload-defer-length", 1)).await;
    let path = location(&created);
    let bytes = png(2000);
    append(&app, &path, 0, &bytes[..1500]).await;
    assert_eq!(get(&app, tus("HEAD", &path)).await.header("upload-defer-length"), "1");
    let last = |length: usize| part(&path, 1500).header("upload-length", length);
    let long = last(11 << 20).body(Body::empty()).unwrap();
    assert_eq!(send(&app, long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let set = send(&app, last(2000).body(Body::empty()).unwrap()).await;
    assert_eq!(set.status, StatusCode::NO_CONTENT);
    let other = send(&app, last(1900).body(Body::empty()).unwrap()).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    let answer = append(&app, &path, 1500, &bytes[1500..]).await;
    assert_eq!(original(&world, &answer).await, bytes);
}

#[tokio::test]
async fn u03_unfinished_uploads_count_against_the_quota() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    for _ in 0..2 {
        let path = create(&app, 9 << 20).await;
        append(&app, &path, 0, &png(8 << 20)).await;
    }
    let third = get(&app, tus("POST", "/up/tus").header("upload-length", 9 << 20)).await;
    assert_eq!(third.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(third.json()["type"].as_str().unwrap().ends_with("quota-exceeded"));
}

#[tokio::test]
async fn u03_an_owner_has_a_bounded_number_of_unfinished_uploads() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory().max_per_owner(2));
    let first = create(&app, 100).await;
    create(&app, 100).await;
    let third = get(&app, tus("POST", "/up/tus").header("upload-length", 100)).await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(third.json()["limit"], 2);
    assert_eq!(get(&app, tus("DELETE", &first)).await.status, StatusCode::NO_CONTENT);
    create(&app, 100).await;
}

#[tokio::test]
async fn u04_expired_and_ended_uploads_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let partial_uploads = PartialUploads::in_folder(folder.path()).unwrap();
    let app = app(&world, partial_uploads.clone());
    let ended = create(&app, 1000).await;
    append(&app, &ended, 0, &png(600)).await;
    // As a killed process leaves it.
    let left = walk(folder.path()).into_iter().find(|path| path.ends_with("created")).unwrap();
    std::fs::write(left.with_file_name("part-00000000000000000600#1"), "x").unwrap();
    assert_eq!(get(&app, tus("DELETE", &ended)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(get(&app, tus("HEAD", &ended)).await.status, StatusCode::NOT_FOUND);
    let files = |folder| walk(folder).into_iter().filter(|path| path.is_file()).count();
    assert_eq!(files(folder.path()), 0);

    for _ in 0..20 {
        let path = create(&app, 1000).await;
        append(&app, &path, 0, &png(600)).await;
    }
    assert_eq!(partial_uploads.sweep().await.unwrap(), 0);
    assert_eq!(partial_uploads.expire_after(EARLY).sweep().await.unwrap(), 20);
    assert_eq!(files(folder.path()), 0);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let below = if path.is_dir() { walk(&path) } else { Vec::new() };
            below.into_iter().chain([path])
        })
        .collect()
}

#[tokio::test]
async fn u04_an_expired_upload_cannot_be_continued() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory().expire_after(EARLY));
    let path = create(&app, 1000).await;
    assert_eq!(get(&app, tus("HEAD", &path)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(append(&app, &path, 0, &png(600)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn u05_a_refused_type_ends_the_upload_at_its_first_part() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let path = create(&app, 100_000).await;
    let html = b"<html>".repeat(200);
    let answer = append(&app, &path, 0, &html).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(get(&app, tus("HEAD", &path)).await.status, StatusCode::NOT_FOUND);
    // One that is too short to be judged before its end.
    let path = create(&app, 100).await;
    append(&app, &path, 0, &html[..50]).await;
    let answer = append(&app, &path, 50, &html[50..100]).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 0);
}

#[tokio::test]
async fn u05_a_part_without_its_checksum_is_not_stored() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let bytes = png(3000);
    let path = create(&app, bytes.len()).await;
    let patch = async |checksum: String| {
        let request = part(&path, 0).header("upload-checksum", checksum);
        send(&app, request.body(Body::from(bytes.clone())).unwrap()).await
    };
    let wrong = patch(format!("sha256 {}", BASE64.encode([7; 32]))).await;
    assert_eq!(wrong.status.as_u16(), 460);
    assert_eq!(patch("md5 AAAA".to_owned()).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(offset(&app, &path).await, "0");
    let right = patch(format!("sha256 {}", BASE64.encode(Sha256::digest(&bytes)))).await;
    assert_eq!(original(&world, &right).await, bytes);
}

#[tokio::test]
async fn u05_a_backend_that_failed_finishes_the_upload_later() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let bytes = png(3000);
    let path = create(&app, bytes.len()).await;
    world.backend.set(Fault::Fail(tower_media::ErrorKind::Unavailable));
    let failed = append(&app, &path, 0, &bytes).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    world.backend.set(Fault::None);
    let head = get(&app, tus("HEAD", &path)).await;
    assert_eq!(original(&world, &head).await, bytes);
}

#[tokio::test]
async fn tus_headers_are_checked() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let options = get(&app, Request::builder().method("OPTIONS").uri("/up/tus")).await;
    assert_eq!(options.status, StatusCode::NO_CONTENT);
    assert_eq!(options.header("tus-version"), "1.0.0");
    assert_eq!(options.header("tus-max-size"), (10 << 20).to_string());
    assert!(options.header("tus-extension").contains("creation-with-upload"));
    assert_eq!(options.header("tus-checksum-algorithm"), "sha1,sha256");

    let old = Request::post("/up/tus").header("x-user", "ana").header("upload-length", 5);
    let old = get(&app, old.header("tus-resumable", "0.2.2")).await;
    assert_eq!(old.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(old.header("tus-version"), "1.0.0");

    let post = |name: &str, value: &str| get(&app, tus("POST", "/up/tus").header(name, value));
    assert_eq!(post("upload-length", "-1").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post("upload-length", "9223372036854775808").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post("x-none", "1").await.status, StatusCode::BAD_REQUEST);
    let metadata = |text: &str| {
        let request = tus("POST", "/up/tus").header("upload-length", 5);
        get(&app, request.header("upload-metadata", text))
    };
    assert_eq!(metadata("filename ???").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        metadata(&format!("scope {}", BASE64.encode("team"))).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        metadata(&format!("scope {}", BASE64.encode("me"))).await.status,
        StatusCode::CREATED
    );

    let path = create(&app, 1000).await;
    let plain = part(&path, 0).body(Body::from("x")).unwrap();
    let (mut parts, body) = plain.into_parts();
    parts.headers.insert("content-type", "text/plain".parse().unwrap());
    let plain = send(&app, Request::from_parts(parts, body)).await;
    assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let wrong = append(&app, &path, 7, &png(600)).await;
    assert_eq!((wrong.status, wrong.header("upload-offset")), (StatusCode::CONFLICT, "0"));
    let cross_site = part(&path, 0).header("sec-fetch-site", "cross-site");
    assert_eq!(get(&app, cross_site).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn tus_creates_with_a_first_part_and_overrides_methods() {
    let world = World::new();
    let app = app(&world, PartialUploads::in_memory());
    let bytes = png(3000);
    let request = part("/up/tus", 0).method("POST").header("upload-length", bytes.len());
    let created = send(&app, request.body(Body::from(bytes[..2000].to_vec())).unwrap()).await;
    assert_eq!((created.status, created.header("upload-offset")), (StatusCode::CREATED, "2000"));
    let path = location(&created);
    let patch = part(&path, 2000).method("POST").header("x-http-method-override", "PATCH");
    let answer = send(&app, patch.body(Body::from(bytes[2000..].to_vec())).unwrap()).await;
    assert_eq!(original(&world, &answer).await, bytes);

    let whole = part("/up/tus", 0).method("POST").header("upload-length", bytes.len());
    let created = send(&app, whole.body(Body::from(bytes.clone())).unwrap()).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("media-id"), answer.header("media-id"));
}
