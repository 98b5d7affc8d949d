//! Faults during uploads and downloads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tower_media::{
    Error, ErrorKind, MediaState, Remote, Rendition, Result, Upload, backend::MediaBackend as _,
    media::Download,
};

use super::{GET, ana, good, id, json, patient, record, status, verify, within};
use crate::raw::{Conn, Raw, Script};

/// Far more than all buffers on the way, and few enough bytes to hash without optimisation.
const LARGE: u64 = 64 << 20;

/// The greatest number of bytes in flight: the buffers of two sockets, and some chunks.
const IN_FLIGHT: u64 = 16 << 20;

fn streamed<E>(stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Upload
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Upload::from_stream(stream).file_name("a.txt").scope("me")
}

fn in_memory(bytes: impl Into<Bytes>) -> Upload {
    Upload::new(bytes).file_name("a.txt").scope("me")
}

fn chunk() -> Result<Bytes> {
    Ok(Bytes::from_static(b"chunk"))
}

/// Responds like `good`, and counts truncated bodies.
fn counting_broken(broken: &Arc<AtomicUsize>) -> Script {
    let broken = Arc::clone(broken);
    Script::new(move |mut conn, _| {
        let broken = Arc::clone(&broken);
        async move {
            if conn.body().await {
                conn.send(json(&record(b"content")).as_bytes()).await;
            } else {
                broken.fetch_add(1, Relaxed);
            }
            conn
        }
    })
}

async fn until(true_at_last: impl Fn() -> bool) {
    within(async {
        while !true_at_last() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn r06_upload_fails_with_the_error_of_its_source() {
    let broken = Arc::new(AtomicUsize::new(0));
    let server = Raw::start(counting_broken(&broken));
    let remote = patient(&server).retries(2).build().unwrap();
    let errors = [
        (Error::new(ErrorKind::TooLarge, "more than allowed").into(), ErrorKind::TooLarge),
        (Error::new(ErrorKind::Unavailable, "the disk is away").into(), ErrorKind::Unavailable),
        (Box::<dyn std::error::Error + Send + Sync>::from("broken"), ErrorKind::InvalidInput),
    ];
    for (count, (error, kind)) in errors.into_iter().enumerate() {
        let chunks = stream::iter((0..100).map(|_| Ok(Bytes::from(vec![0; 1000]))));
        let upload = streamed(chunks.chain(stream::iter([Err(error)])));
        assert_eq!(within(remote.upload(&ana(), upload)).await.unwrap_err().kind(), kind);
        until(|| broken.load(Relaxed) == count + 1).await;
    }
    assert_eq!(server.requests("POST "), 3);
}

#[tokio::test]
async fn r06_stalled_upload_source_is_a_timeout() {
    let broken = Arc::new(AtomicUsize::new(0));
    let server = Raw::start(counting_broken(&broken));
    let remote = patient(&server).idle_timeout(Duration::from_millis(100)).build().unwrap();
    let stalled = streamed(stream::iter([chunk()]).chain(stream::pending()));
    assert_eq!(
        within(remote.upload(&ana(), stalled)).await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
    until(|| broken.load(Relaxed) == 1).await;
}

#[tokio::test]
async fn r06_upload_that_the_service_does_not_read_is_a_timeout() {
    let server = Raw::start(Script::new(async |_, _| std::future::pending().await));
    // The buffers take some chunks, so the idle timeout applies.
    let remote = patient(&server).idle_timeout(Duration::from_millis(200)).build().unwrap();
    let upload = in_memory(vec![0; 64 << 20]);
    assert_eq!(within(remote.upload(&ana(), upload)).await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn r06_slow_upload_with_progress_arrives() {
    let content = b"pieces".repeat(4);
    let answer = Script::says(json(&record(&content)));
    let server = Raw::start(answer);
    // The request timeout is shorter than the interval between two chunks of the source.
    let remote = patient(&server).request_timeout(Duration::from_millis(400)).build().unwrap();
    let beat = tokio::time::interval(Duration::from_millis(500));
    let chunks = stream::unfold(beat, async |mut beat| {
        beat.tick().await;
        Some((Ok::<_, Error>(Bytes::from_static(b"pieces")), beat))
    });
    within(remote.upload(&ana(), streamed(chunks.take(4)))).await.unwrap();
}

#[tokio::test]
async fn r06_request_timeout_applies_after_the_body() {
    // The whole body was sent, so the request timeout applies.
    let server = Raw::start(Script::after_body(async |_| std::future::pending().await));
    let upload = || in_memory("content");
    let remote = patient(&server).request_timeout(Duration::from_millis(100)).build().unwrap();
    assert_eq!(
        within(remote.upload(&ana(), upload())).await.unwrap_err().kind(),
        ErrorKind::Timeout
    );
}

#[tokio::test]
async fn r06_upload_with_another_hash_is_an_integrity_error() {
    for answer in [record(b"other"), record(b"")] {
        let server = Raw::start(Script::says(json(&answer)));
        let remote = patient(&server).build().unwrap();
        for upload in [in_memory("content"), streamed(stream::iter([chunk()]))] {
            let error = within(remote.upload(&ana(), upload)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity);
        }
    }
}

#[tokio::test]
async fn r06_early_413_during_an_upload_is_too_large() {
    let refuse = Script::new(async |mut conn: Conn, _| {
        let refusal = super::http("413 Payload Too Large", "Connection: close\r\n", "");
        conn.send(refusal.as_bytes()).await;
        // If the connection were closed now, unread bytes would reset it and discard the response.
        while conn.more().await.is_some() {}
        conn.close()
    });
    let server = Raw::start(refuse);
    let remote = patient(&server).build().unwrap();
    let endless = stream::repeat_with(|| Ok::<_, Error>(Bytes::from(vec![0; 1 << 16])));
    for upload in [in_memory(vec![0; 16 << 20]), streamed(endless)] {
        let error = within(remote.upload(&ana(), upload)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}

#[tokio::test]
async fn r06_upload_is_not_buffered() {
    // The digest of `LARGE` zeros, computed in advance.
    let hash = "3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351";
    let answer = record(b"").replace(&tower_media::media::ContentHash::of(b"").to_string(), hash);
    let server = Raw::start(Script::says(json(&answer)));
    let remote = patient(&server).build().unwrap();

    let server = Arc::new(server);
    let most = Arc::new(AtomicU64::new(0));
    let (watched, peak) = (Arc::clone(&server), Arc::clone(&most));
    let chunk = Bytes::from(vec![0; 1 << 18]);
    let zeros = stream::iter(0..LARGE >> 18).map(move |n| {
        peak.fetch_max((n << 18).saturating_sub(watched.read()), Relaxed);
        Ok::<_, Error>(chunk.clone())
    });
    within(remote.upload(&ana(), streamed(zeros))).await.unwrap();
    assert!(server.read() > LARGE);
    assert!(most.load(Relaxed) < IN_FLIGHT, "{}", most.load(Relaxed));
}

/// Sends a head and a body of `length` bytes.
fn sends(head: &'static str, length: u64) -> Script {
    Script::after_body(move |mut conn| async move {
        conn.send(head.as_bytes()).await;
        let chunk = vec![0; 1 << 16];
        for _ in 0..length >> 16 {
            if !conn.send(&chunk).await {
                break;
            }
        }
        conn.close()
    })
}

const TYPE: &str = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n";

async fn download(remote: &Remote) -> Download {
    within(remote.download(&id(), &Rendition::Original.into())).await.unwrap()
}

#[tokio::test]
async fn r06_download_is_not_buffered() {
    let all = 4 * LARGE;
    let server = Raw::start(sends(TYPE, all));
    let mut body = download(&patient(&server).build().unwrap()).await.into_stream();
    let (mut read, mut most) = (0, 0);
    while let Some(bytes) = within(body.try_next()).await.unwrap() {
        read += bytes.len() as u64;
        most = most.max(server.written().saturating_sub(read));
    }
    assert_eq!(read, all);
    assert!(most < IN_FLIGHT, "{most}");
}

#[tokio::test]
async fn r06_unread_download_applies_backpressure() {
    let server = Raw::start(sends(TYPE, 10 << 30));
    let remote = patient(&server).build().unwrap();
    let body = download(&remote).await;
    // Other calls succeed, and the service can only fill the buffers.
    server.set(good());
    for _ in 0..50 {
        within(remote.get(&id())).await.unwrap();
    }
    assert!(server.written() < IN_FLIGHT);
    drop(body);
}

#[tokio::test]
async fn r06_download_into_memory_stops_at_its_limit() {
    let server = Raw::start(sends(TYPE, 10 << 30));
    let remote = patient(&server).build().unwrap();
    let error = within(download(&remote).await.into_bytes(1 << 20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(server.written() < IN_FLIGHT, "{}", server.written());

    let declared = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n";
    server.set(Script::says(declared));
    let error = within(download(&remote).await.into_bytes(999)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn r06_truncated_download_is_an_integrity_error() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n";
    for (body, reset) in [
        ("Content-Length: 100\r\n\r\npiece", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\nff\r\npiece", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n", true),
    ] {
        let text = format!("{head}{body}");
        let server = Raw::start(Script::after_body(move |mut conn: Conn| {
            let text = text.clone();
            async move {
                conn.send(text.as_bytes()).await;
                if reset { conn.reset() } else { conn.close() }
            }
        }));
        let remote = patient(&server).build().unwrap();
        let Ok(begun) = within(remote.download(&id(), &Rendition::Original.into())).await else {
            assert!(reset, "only a reset may overtake the head");
            continue;
        };
        let items: Vec<Result<Bytes>> = within(begun.into_stream().collect()).await;
        let (last, before) = items.split_last().unwrap();
        assert_eq!(last.as_ref().unwrap_err().kind(), ErrorKind::Integrity, "{body}");
        assert!(before.iter().all(Result::is_ok), "{body}");
        assert!(within(download(&remote).await.into_bytes(1000)).await.is_err());
    }
}

#[tokio::test]
async fn r06_stalled_download_is_a_timeout() {
    let server = Raw::start(Script::after_body(async |mut conn: Conn| {
        conn.send(format!("{TYPE}piece").as_bytes()).await;
        std::future::pending().await
    }));
    let remote = patient(&server).idle_timeout(Duration::from_millis(100)).build().unwrap();
    let items: Vec<Result<Bytes>> = within(download(&remote).await.into_stream().collect()).await;
    assert_eq!(items.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn r06_dropped_download_does_not_affect_other_calls() {
    let server = Raw::start(sends(TYPE, 10 << 30).with(GET, good()));
    let remote = patient(&server).build().unwrap();
    for _ in 0..10 {
        let mut body = download(&remote).await.into_stream();
        within(body.try_next()).await.unwrap();
    }
    within(remote.get(&id())).await.unwrap();
    server.set(status("404 Not Found").with("POST ", good()));
    verify(&MediaState::new(remote)).await.unwrap();
}
