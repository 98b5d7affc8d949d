//! Retries.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{future::join_all, stream};
use tokio::{sync::Notify, time::Instant};
use tower_media::{ErrorKind, MediaState, Remote, Rendition, Upload, backend::MediaBackend as _};

use super::{
    GET, ID, ana, good, hasty, http, id, patient, record, status, verify, verify_id, within,
};
use crate::raw::{Conn, Raw, Script};

/// All faults after which a call is retried.
fn passing() -> [Script; 5] {
    [
        Script::after_body(async |conn: Conn| conn.reset()),
        status("429 Too Many Requests"),
        status("502 Bad Gateway"),
        status("503 Service Unavailable"),
        status("504 Gateway Timeout"),
    ]
}

fn upload() -> Upload {
    Upload::new("content").file_name("a.txt").scope("me")
}

fn streamed() -> Upload {
    let content = stream::iter([Ok::<_, std::io::Error>(Bytes::from("content"))]);
    Upload::from_stream(content).file_name("a.txt").scope("me")
}

fn persistent(server: &Raw) -> Remote {
    patient(server).retries(2).build().unwrap()
}

#[tokio::test]
async fn r06_idempotent_calls_are_retried() {
    for trouble in passing() {
        let server = Raw::start(Script::once(trouble, good()));
        let remote = persistent(&server);
        within(remote.get(&id())).await.unwrap();
        assert_eq!(server.requests(GET), 2);
    }
    for trouble in passing() {
        let server = Raw::start(Script::once(trouble, good()));
        let begun = within(persistent(&server).download(&id(), &Rendition::Original.into())).await;
        assert!(begun.is_ok());
        assert_eq!(server.requests("GET "), 2);
    }
    for trouble in passing() {
        let server = Raw::start(Script::once(trouble, good()));
        verify(&MediaState::new(persistent(&server))).await.unwrap();
        assert_eq!(server.requests("POST /api/v1/media/owned "), 2);
    }
}

#[tokio::test]
async fn r06_upload_from_memory_is_retried() {
    let collision = status("500 Internal Server Error");
    for trouble in passing().into_iter().chain([collision]) {
        let server = Raw::start(Script::once(trouble, good()));
        within(persistent(&server).upload(&ana(), upload())).await.unwrap();
        assert_eq!(server.requests("POST /api/v1/media/upload "), 2);
    }
}

#[tokio::test]
async fn r06_upload_from_a_file_is_retried() {
    let path = std::env::temp_dir().join(format!("tower-media-{}-again", std::process::id()));
    std::fs::write(&path, "content").unwrap();
    let upload = || Upload::from_path(&path).file_name("a.txt").scope("me");
    for trouble in passing() {
        let server = Raw::start(Script::once(trouble, good()));
        within(persistent(&server).upload(&ana(), upload())).await.unwrap();
        assert_eq!(server.requests("POST /api/v1/media/upload "), 2);
        let announced = server.heads().to_lowercase().matches("content-length: ").count();
        assert_eq!(announced, 2, "{}", server.heads());
    }
    // The hash of a file is compared as well.
    std::fs::write(&path, "other bytes").unwrap();
    let server = Raw::start(good());
    let error = within(persistent(&server).upload(&ana(), upload())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);

    std::fs::remove_file(&path).unwrap();
    let error = within(persistent(&server).upload(&ana(), upload())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(server.requests("POST "), 1, "a missing file is not sent");
}

#[tokio::test]
async fn r06_file_deleted_between_attempts_is_invalid_input() {
    let path = std::env::temp_dir().join(format!("tower-media-{}-deleted", std::process::id()));
    std::fs::write(&path, "content").unwrap();
    let deleted = path.clone();
    let trouble = Script::noting(status("503 Service Unavailable"), move || {
        // Only the first attempt finds the file.
        let _ = std::fs::remove_file(&deleted);
    });
    let server = Raw::start(trouble);
    let upload = Upload::from_path(&path).scope("me");
    let error = within(persistent(&server).upload(&ana(), upload)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(!format!("{error:?}").contains("tower-media-"), "{error:?}");
}

#[tokio::test]
async fn r06_upload_from_a_stream_is_not_retried() {
    for trouble in passing() {
        let server = Raw::start(Script::once(trouble, good()));
        let error = within(persistent(&server).upload(&ana(), streamed())).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert_eq!(server.requests("POST /api/v1/media/upload "), 1);
    }
}

#[tokio::test]
async fn r06_deletion_is_not_retried() {
    for trouble in passing() {
        let server = Raw::start(good().with("DELETE ", trouble));
        let error = within(persistent(&server).delete(&ana(), &id())).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert_eq!(server.requests("DELETE "), 1);
    }
}

#[tokio::test]
async fn r06_error_statuses_other_than_outages_are_not_retried() {
    for refusal in
        ["401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Internal Server Error"]
    {
        let server = Raw::start(status(refusal));
        assert!(within(persistent(&server).get(&id())).await.is_err());
        assert_eq!(server.requests("GET "), 1, "{refusal}");
    }
}

#[tokio::test]
async fn r06_retries_are_as_many_as_configured() {
    for retries in [0, 1, 3] {
        let server = Raw::start(status("503 Service Unavailable"));
        let remote = patient(&server).retries(retries).build().unwrap();
        let error = within(remote.get(&id())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(server.requests("GET "), retries + 1);
    }
}

fn later(retry_after: &str) -> Script {
    let header = format!("Retry-After: {retry_after}\r\n");
    Script::says(http("503 Service Unavailable", &header, ""))
}

#[tokio::test]
async fn r06_retry_after_delays_the_retry() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = Arc::clone(&times);
    let note = move |then: Script| {
        let times = Arc::clone(&noted);
        Script::noting(then, move || times.lock().unwrap().push(Instant::now()))
    };
    let server = Raw::start(note(Script::once(later("1"), good())));
    within(persistent(&server).get(&id())).await.unwrap();
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(1));
}

#[tokio::test]
async fn r06_long_retry_after_ends_the_call() {
    for much in ["3600", "18446744073709551615"] {
        let server = Raw::start(later(much));
        let remote = hasty(&server).request_timeout(Duration::from_secs(60)).retries(2);
        let error = within(remote.build().unwrap().get(&id())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(server.requests("GET "), 1, "{much}");
    }
}

#[tokio::test]
async fn r06_invalid_retry_after_is_ignored() {
    let date = "Wed, 21 Oct 2099 07:28:00 GMT";
    for nonsense in ["", "0", "-1", "1e9", "soon", "99999999999999999999999", date] {
        let server = Raw::start(Script::once(later(nonsense), good()));
        within(persistent(&server).get(&id())).await.unwrap();
    }
}

/// Runs `then` once it is released.
fn when(released: &Arc<Notify>, then: Script) -> Script {
    let released = Arc::clone(released);
    Script::new(move |conn, line| {
        let (released, then) = (Arc::clone(&released), then.clone());
        async move {
            released.notified().await;
            released.notify_one();
            then.run(conn, line).await
        }
    })
}

#[tokio::test]
async fn r06_concurrent_equal_checks_are_one_query() {
    let released = Arc::new(Notify::new());
    let server = Raw::start(status("503 Service Unavailable"));
    let media = MediaState::new(patient(&server).build().unwrap());
    // The checks share the query also if it fails.
    join_all((0..200).map(|_| verify(&media))).await;
    assert_eq!(server.requests("POST "), 1);

    server.set(when(&released, good()));
    let all = tokio::spawn({
        let media = media.clone();
        async move { join_all((0..200).map(|_| verify(&media))).await }
    });
    within(async {
        while server.requests("POST ") < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    released.notify_one();
    let answers = within(all).await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(server.requests("POST "), 2);
}

#[tokio::test]
async fn r06_concurrent_different_checks_are_few_queries() {
    let server = Raw::start(good());
    let media = MediaState::new(patient(&server).build().unwrap());
    let ids: Vec<String> = (0..200).map(|n| format!("id-{n}")).chain([ID.to_owned()]).collect();
    server.set(Script::says(super::json(r#"{"owned":[]}"#)));
    for answer in join_all(ids.iter().map(|id| verify_id(&media, id))).await {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::NotOwned);
    }
    // The query of the first check, that of the next one, and that of all others.
    assert!(server.requests("POST ") <= 3);
}

#[tokio::test]
async fn r06_retried_upload_is_compared_with_its_record() {
    // The record is that of other bytes.
    let wrong = Script::says(super::json(&record(b"other")));
    let server = Raw::start(Script::once(status("503 Service Unavailable"), wrong));
    let error = within(persistent(&server).upload(&ana(), upload())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
}
