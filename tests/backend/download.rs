//! `download_all` and `wait_until_ready`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tower_media::{
    Error, ErrorKind, MediaId, MediaState, Rendition, Upload,
    media::{Download, MediaStatus},
};

use super::support::{Watched, owner, upload_texts};

/// A state over a watched backend that contains some texts.
async fn watched(count: usize) -> (Watched, MediaState, Vec<MediaId>) {
    let backend = Watched::default();
    let media = MediaState::new(backend.clone());
    let ids = upload_texts(&media, &owner("ana"), count).await;
    (backend, media, ids)
}

#[tokio::test]
async fn g04_four_downloads_run_at_once_in_request_order() {
    let (backend, media, ids) = watched(12).await;
    let asked: Vec<&MediaId> = ids.iter().rev().chain(&ids[..1]).collect();
    let pictures = media.download_all(asked.clone(), Rendition::Original).await.unwrap();

    assert_eq!(pictures.iter().map(|picture| &picture.id).collect::<Vec<_>>(), asked);
    for (n, picture) in (0..12).rev().chain([0]).zip(&pictures) {
        assert_eq!(picture.bytes, format!("text {n}"));
        assert_eq!(picture.content_type, "application/octet-stream");
    }
    assert_eq!(backend.downloads(), 13);
    assert_eq!(backend.max_concurrent(), 4);
}

#[tokio::test]
async fn an_empty_request_downloads_nothing() {
    let (backend, media, _) = watched(1).await;
    assert_eq!(media.download_all([], Rendition::Original).await.unwrap(), []);
    assert_eq!(backend.downloads(), 0);
}

#[tokio::test]
async fn g04_the_first_failure_cancels_all_downloads() {
    let (backend, media, ids) = watched(20).await;
    media.delete(&owner("ana"), &ids[0]).await.unwrap();
    let error = media.download_all(&ids, Rendition::Original).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(backend.downloads() < 20, "{} downloads were begun", backend.downloads());
}

#[tokio::test]
async fn p05_a_missing_rendition_is_an_error() {
    let (_, media, ids) = watched(1).await;
    let error = media.download_all(&ids, Rendition::png(64)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = media.download(&ids[0], Rendition::png(64)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_item_beyond_the_download_limit_is_too_large() {
    let media = MediaState::builder(Watched::default()).download_limit(10).build();
    let ana = owner("ana");
    for (size, kind) in [(0, None), (10, None), (11, Some(ErrorKind::TooLarge))] {
        let upload = Upload::new(vec![b'x'; size]).scope("me");
        let id = media.upload(&ana, upload).await.unwrap().id;
        let read = media.download_all([&id], Rendition::Original).await;
        assert_eq!(read.err().map(|error| error.kind()), kind, "{size} bytes");
    }
}

#[tokio::test]
async fn p17_downloads_together_are_bounded_by_the_total_limit() {
    let media = MediaState::builder(Watched::default()).total_download_limit(35).build();
    let ids = upload_texts(&media, &owner("ana"), 6).await;
    // Each text has six bytes; a repeated id is read, and counts, twice.
    for (asked, kind) in [
        ([0, 1, 2, 3, 4].as_slice(), None),
        (&[0, 1, 2, 3, 4, 5], Some(ErrorKind::TooLarge)),
        (&[0; 6], Some(ErrorKind::TooLarge)),
    ] {
        let read = media.download_all(asked.iter().map(|n| &ids[*n]), Rendition::Original).await;
        assert_eq!(read.as_ref().err().map(|error| error.kind()), kind, "{asked:?}");
        if let Err(error) = read {
            assert_eq!(error.to_string(), "the media together exceed 35 bytes");
        }
    }
}

#[tokio::test]
async fn a_download_of_unknown_length_is_read_up_to_its_limit() {
    let pieces = |count| {
        let read = stream::iter(0..count).map(|_| Ok::<_, Error>(Bytes::from_static(b"12345")));
        Download::from_stream("text/plain", read.boxed())
    };
    assert_eq!(pieces(2).into_bytes(10).await.unwrap(), "1234512345");
    // The stream is endless.
    let error = pieces(u64::MAX).into_bytes(10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_without_reading() {
    let unread = stream::once(async { panic!("read") }).boxed();
    let download = Download::from_stream("text/plain", unread).with_length(11);
    assert_eq!(download.into_bytes(10).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_media_is_ready() {
    let (backend, media, ids) = watched(1).await;
    backend.set_statuses([MediaStatus::Processing; 9].into_iter().chain([MediaStatus::Ready]));
    let ready = media.wait_until_ready(&ids[0], Duration::from_secs(60)).await.unwrap();
    assert_eq!(ready.status, MediaStatus::Ready);
    assert_eq!(ready.id, ids[0]);
    assert_eq!(backend.gets(), 10);
}

#[tokio::test(start_paused = true)]
async fn waiting_polls_at_intervals_up_to_two_seconds() {
    let (backend, media, ids) = watched(1).await;
    backend.set_statuses([MediaStatus::Processing]);
    let began = tokio::time::Instant::now();
    let error = media.wait_until_ready(&ids[0], Duration::from_secs(100)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(began.elapsed(), Duration::from_secs(100));
    // At 0, 50, 150, 350, 750, 1,550 and 3,150 ms, then every 2 s.
    assert_eq!(backend.gets(), 7 + 48);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_failed_or_unknown_media_fails_at_once() {
    let (backend, media, ids) = watched(1).await;
    backend.set_statuses([MediaStatus::Failed]);
    let began = tokio::time::Instant::now();
    let wait = Duration::from_secs(60);
    let error = media.wait_until_ready(&ids[0], wait).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);

    media.delete(&owner("ana"), &ids[0]).await.unwrap();
    let error = media.wait_until_ready(&ids[0], wait).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_at_its_deadline_if_the_backend_hangs() {
    use tower_media::testkit::{Fault, Faulty};

    let backend = Faulty::new(Watched::default());
    let media = MediaState::new(backend.clone());
    let ids = upload_texts(&media, &owner("ana"), 1).await;
    backend.set(Fault::Hang);
    let error = media.wait_until_ready(&ids[0], Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}
