//! The record of an image that cannot be processed: type, reason, URLs, and the next attempt.

use std::{io::Cursor, time::Duration};

use bytes::Bytes;
use tower_media::{
    ErrorKind, InMemory, Media, Rendition,
    backend::{ImageLimits, MediaBackend, MediaBackendExt as _},
    media::{FailureReason, MediaStatus, Variant},
    store::MakeVariants,
};

use crate::support::{TestStore, builder, keep, owner, picture, read, upload};

/// A JPEG whose frame header says lossless coding, which has the same header fields.
fn lossless() -> Bytes {
    let mut jpeg = picture("gray.jpg").to_vec();
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 1] = 0xC3;
    jpeg.into()
}

/// A tenth of a JPEG, which is less than the share of rows that is shown (promise P18). Its header is whole.
fn cut() -> Bytes {
    picture("plain-1000x700.jpg").slice(..1_500)
}

fn larger() -> ImageLimits {
    ImageLimits::new().with_max_side(20_000).with_timeout(Duration::from_secs(120))
}

fn assert_failed(media: &Media, mime_type: &str, reason: FailureReason) {
    let described = (media.status, &*media.mime_type, media.failure_reason);
    assert_eq!(described, (MediaStatus::Failed, mime_type, Some(reason)));
    let urls = &media.urls;
    assert!(urls.thumbnail.is_none() && urls.medium.is_none() && urls.large.is_none(), "{urls:?}");
}

/// Uploads broken images and requests their renditions.
async fn says_so(backend: &impl MediaBackend) {
    let ana = owner("ana");
    for (bytes, mime_type, reason) in [
        (picture("garbage.jpg"), "image/jpeg", FailureReason::Unreadable),
        (picture("truncated-header.jpg"), "image/jpeg", FailureReason::Unreadable),
        (picture("wide-17000x8.png"), "image/png", FailureReason::TooLarge),
        (picture("bomb-17000x17000.png"), "image/png", FailureReason::TooLarge),
        (lossless(), "image/jpeg", FailureReason::Unsupported),
        ("GIF89a=1;/*".into(), "image/gif", FailureReason::Unreadable),
    ] {
        let media = backend.upload(&ana, upload(bytes.clone())).await.unwrap();
        assert_failed(&media, mime_type, reason);
        assert_eq!(backend.get(&media.id).await.unwrap(), media);
        let waited =
            backend.wait_until_ready(&media.id, Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(waited.failure_reason(), Some(reason));
        for rendition in [Variant::Thumbnail.into(), Rendition::png(9)] {
            let refused = backend.download(&media.id, &rendition.into()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Failed);
            assert_eq!(refused.failure_reason(), Some(reason));
        }
        let original = backend.download(&media.id, &Rendition::Original.into()).await.unwrap();
        assert_eq!(original.into_bytes(1 << 20).await.unwrap(), bytes);
    }

    // Only decoding finds the fault of these pixels.
    let media = backend.upload(&ana, upload(cut())).await.unwrap();
    assert!((media.status, media.failure_reason) == (MediaStatus::Ready, None));
    assert!(media.urls.medium.is_some());
    let refused = backend.download(&media.id, &Variant::Medium.into()).await.unwrap_err();
    assert_eq!(refused.failure_reason(), Some(FailureReason::Unreadable));
    assert_failed(&backend.get(&media.id).await.unwrap(), "image/jpeg", FailureReason::Unreadable);
}

#[tokio::test]
async fn a_failed_image_keeps_its_type_and_has_a_reason() {
    says_so(&TestStore::new().await.store).await;
}

#[tokio::test]
async fn a_failed_image_in_memory_has_type_and_reason() {
    says_so(&InMemory::new()).await;
}

/// Uploads the same bytes again, after the limits have been raised.
async fn tries_again(before: &Media, raised: &impl MediaBackend) {
    let upload = upload(picture("wide-17000x8.png"));
    let after = raised.upload(&owner("ana"), upload).await.unwrap();
    assert_eq!((&after.id, after.failure_reason), (&before.id, None));
    assert_eq!(after.metadata.as_ref().map(|metadata| metadata.width), Some(17_000));
    assert!(after.status == MediaStatus::Ready && after.urls.large.is_some());
    drop(raised.download(&after.id, &Variant::Large.into()).await.unwrap());
    assert_eq!(raised.get(&after.id).await.unwrap(), after);
}

#[tokio::test]
async fn an_image_is_tried_again_after_its_limit_is_raised() {
    let TestStore { folder, store } = TestStore::new().await;
    let before = keep(&store, picture("wide-17000x8.png"), &owner("ana")).await;
    store.close().await.unwrap();
    drop(store);
    let raised = builder().image_limits(larger()).open(folder.path()).await.unwrap();
    assert_failed(&raised.get(&before.id).await.unwrap(), "image/png", FailureReason::TooLarge);
    tries_again(&before, &raised).await;
}

#[tokio::test]
async fn an_image_in_memory_is_tried_again_with_higher_limits() {
    let memory = InMemory::new();
    let raised = memory.clone().with_image_limits(larger());
    let upload = upload(picture("wide-17000x8.png"));
    let before = memory.upload(&owner("ana"), upload).await.unwrap();
    tries_again(&before, &raised).await;
}

#[tokio::test]
async fn variants_made_ahead_fail_with_a_reason() {
    let home = TestStore::with(builder().variants(MakeVariants::Ahead)).await;
    let media = keep(&home.store, cut(), &owner("ana")).await;
    let failed = home.store.wait_until_ready(&media.id, Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Failed);
    let record = home.store.get(&media.id).await.unwrap();
    assert_failed(&record, "image/jpeg", FailureReason::Unreadable);
}

#[tokio::test]
async fn an_image_that_timed_out_is_tried_again() {
    let pixels = image::RgbImage::new(6_000, 6_000);
    let mut png = Vec::new();
    pixels.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    // The header can be read within this time, the pixels cannot.
    let hasty = ImageLimits::new().with_timeout(Duration::from_millis(20));
    let hasty = builder().image_limits(hasty).variants(MakeVariants::Ahead);
    let TestStore { folder, store } = TestStore::with(hasty).await;
    let media = loop {
        match store.upload(&owner("ana"), upload(png.clone())).await {
            Ok(media) => break media,
            // On a busy machine, the upload is refused: nothing is marked as failed.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout),
        }
    };
    let failed = store.wait_until_ready(&media.id, Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(failed.failure_reason(), Some(FailureReason::TimedOut));
    let refused = read(&store, &media.id, Variant::Thumbnail).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout, "another attempt has been made");
    assert_failed(&store.get(&media.id).await.unwrap(), "image/png", FailureReason::TimedOut);
    store.close().await.unwrap();
    drop(store);

    let store = builder().open(folder.path()).await.unwrap();
    read(&store, &media.id, Variant::Thumbnail).await.unwrap();
    let ready = store.get(&media.id).await.unwrap();
    assert_eq!((ready.status, ready.failure_reason), (MediaStatus::Ready, None));
    assert!(ready.urls.thumbnail.is_some());
}
