//! R7: uploads beyond the concurrency limits are refused at once, and accepted again after others have ended.

use axum::{body::Body, http::StatusCode};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::join_all, stream};
use tokio::sync::oneshot;
use tower_media::routes::UploadPolicy;

use super::support::{Form, World, file, png, send, signed_in};

#[tokio::test]
async fn r07_beyond_the_limit_it_is_503_in_total_and_429_per_owner() {
    let world = World::new();
    let policy = UploadPolicy::images().scope("me").max_concurrent(3, 2);
    let app = signed_in(world.media.upload_routes("/up", policy));
    let form = |length| Form::new().with(file("a.png", &png(length)));
    // Two uploads of Ana and one of Bob, which stall.
    let mut held = Vec::new();
    for (n, user) in ["ana", "ana", "bob"].into_iter().enumerate() {
        let (release, released) = oneshot::channel::<()>();
        let whole = form(300 + n).bytes();
        let (begin, end) = (Bytes::copy_from_slice(&whole[..250]), whole.slice(250..));
        let begin = stream::once(async { Ok::<_, String>(begin) });
        let end = stream::once(async { released.await.map(|()| end).map_err(|e| e.to_string()) });
        let mut request = form(300 + n).by(user);
        *request.body_mut() = Body::from_stream(begin.chain(end));
        let mut answer = Box::pin({
            let app = app.clone();
            async move { send(&app, request).await }
        });
        assert!(answer.as_mut().now_or_never().is_none());
        held.push((release, answer));
    }
    let refused = send(&app, form(400).by("ana")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "1");
    let refused = send(&app, form(400).by("bob")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "1");

    // One is dropped, the others finish.
    let (_, given_up) = held.remove(0);
    drop(given_up);
    assert_eq!(send(&app, form(401).by("bob")).await.status, StatusCode::CREATED);
    for (release, answer) in held {
        release.send(()).unwrap();
        assert_eq!(answer.await.status, StatusCode::CREATED);
    }
    for n in 0..4 {
        assert_eq!(send(&app, form(410 + n).by("ana")).await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn r07_concurrent_uploads_beyond_the_limit_are_503_at_once() {
    let world = World::new();
    let policy = UploadPolicy::images().scope("me").max_concurrent(16, 64);
    let app = signed_in(world.media.upload_routes("/up", policy));
    let form = |n: usize| Form::new().with(file("a.png", &png(300 + n)));
    let mut held = Vec::new();
    let mut refused = 0;
    for n in 0..64 {
        let begin = form(n).bytes().slice(..250);
        let mut request = form(n).by("ana");
        let stops = stream::iter([Ok::<_, String>(begin)]).chain(stream::pending());
        *request.body_mut() = Body::from_stream(stops);
        let mut answer = Box::pin(send(&app, request));
        match answer.as_mut().now_or_never() {
            None => held.push(answer),
            Some(answer) => {
                assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
                assert_eq!(answer.header("retry-after"), "1");
                refused += 1;
            }
        }
    }
    assert_eq!((held.len(), refused), (16, 48));
    // The clients disconnect: their permits return, and nothing is stored.
    drop(held);
    assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 0);
    let uploads = (0..64).map(|n| send(&app, form(n).by("ana")));
    let served = join_all(uploads.take(16)).await;
    assert!(served.iter().all(|answer| answer.status == StatusCode::CREATED));
}
