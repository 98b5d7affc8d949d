//! The circuit breaker.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all, stream};
use tower_media::{ErrorKind, MediaId, MediaState, Upload, backend::MediaBackend as _};

use super::{ana, good, hasty, patient, status, verify, within};
use crate::raw::{Conn, Raw, Script};

fn reset() -> Script {
    Script::after_body(async |conn: Conn| conn.reset())
}

/// Advances the clock without a delay.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn r07_the_circuit_is_open_until_a_trial_succeeds() {
    for trouble in [reset(), status("503 Service Unavailable")] {
        let server = Raw::start(trouble);
        let media = MediaState::new(patient(&server).build().unwrap());
        for _ in 0..20 {
            assert_eq!(verify(&media).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        assert_eq!(server.requests(""), 5);
        let connections = server.connections();

        pass(Duration::from_millis(500)).await;
        assert!(verify(&media).await.is_err(), "the trial");
        assert!(verify(&media).await.is_err(), "only one trial");
        assert_eq!(server.requests(""), 6);
        assert!(server.connections() <= connections + 1);

        server.set(good());
        pass(Duration::from_secs(1)).await;
        verify(&media).await.unwrap();
        verify(&media).await.unwrap();
        assert_eq!(server.requests(""), 8);
    }
}

#[tokio::test]
async fn r07_an_open_circuit_names_the_last_failure() {
    let server = Raw::start(status("502 Bad Gateway"));
    let remote = patient(&server).retries(1).build().unwrap();
    let get = async || within(remote.get(&super::id())).await.unwrap_err();
    let [_, _, error] = [get().await, get().await, get().await];
    assert_eq!(server.requests(""), 5, "the third would have been sent once more");
    let open = "the circuit breaker of the media service is open after repeated failures (operation \
                `get`, 1 attempt, ";
    assert!(error.to_string().starts_with(open), "{error}");
    let cause = std::error::Error::source(&error).expect("the last failure").to_string();
    let responded = "the media service responded with an error (operation `get`, 1 attempt, ";
    assert!(cause.starts_with(responded), "{cause}");
    assert!(cause.ends_with(", status 502 Bad Gateway)"), "{cause}");
}

#[tokio::test]
async fn r07_simultaneous_failures_open_the_circuit_once() {
    let server = Raw::start(reset());
    let remote = patient(&server).build().unwrap();
    let id = super::id();
    let answers = within(join_all((0..100).map(|_| remote.get(&id)))).await;
    assert!(answers.iter().all(Result::is_err));

    server.set(good());
    pass(Duration::from_millis(500)).await;
    within(remote.get(&id)).await.unwrap();
}

#[tokio::test]
async fn r07_errors_of_invalid_ids_do_not_open_the_circuit() {
    // The recorded service responds with 500 to an id that is not a UUID.
    let server =
        Raw::start(good().with("GET /api/v1/media/legacy", status("500 Internal Server Error")));
    let remote = patient(&server).build().unwrap();
    let legacy = MediaId::from_trusted("legacy:1").unwrap();
    for _ in 0..50 {
        let error = within(remote.get(&legacy)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    verify(&MediaState::new(remote)).await.unwrap();
    assert_eq!(server.requests("GET "), 50);
}

#[tokio::test]
async fn r07_failed_upload_sources_do_not_open_the_circuit() {
    let server = Raw::start(good());
    let remote = hasty(&server).idle_timeout(Duration::from_millis(50)).build().unwrap();
    let first = || stream::iter([Ok(Bytes::from_static(b"a"))]);
    let broken = || first().chain(stream::iter([Err(std::io::Error::other("broken"))])).boxed();
    let stalled = || first().chain(stream::pending()).boxed();
    for _ in 0..10 {
        for (stream, kind) in [(broken(), ErrorKind::InvalidInput), (stalled(), ErrorKind::Timeout)]
        {
            let upload = Upload::from_stream(stream).scope("me");
            assert_eq!(within(remote.upload(&ana(), upload)).await.unwrap_err().kind(), kind);
        }
    }
    verify(&MediaState::new(remote)).await.unwrap();
}
