//! Limits that hold while an upload is read; a refused upload leaves nothing.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tower_media::{Error, ErrorKind, Owner, Upload, backend::MediaBackend, media::ListOptions};

use crate::support::{TestStore, builder, keep, owner, upload};

const MIB: usize = 1 << 20;

fn chunks(count: usize, of: usize) -> impl futures_util::Stream<Item = Result<Bytes, Error>> {
    stream::iter((0..count).map(move |n| Ok(Bytes::from(vec![n as u8; of]))))
}

fn streamed(
    stream: impl futures_util::Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> Upload {
    Upload::from_stream(stream).scope("me")
}

async fn assert_nothing_of(home: &TestStore, owner: &Owner) {
    assert!(home.files("incoming").is_empty() && home.files("blobs").is_empty());
    assert!(home.store.list(owner, &ListOptions::new()).await.unwrap().items.is_empty());
    assert_eq!(home.store.stats(owner).await.unwrap().bytes, 0);
}

#[tokio::test]
async fn p10_size_limit_holds_while_reading() {
    let home = TestStore::with(builder().max_bytes(3 * MIB as u64)).await;
    let ana = owner("ana");
    // The body never ends, so only a limit enforced while reading can refuse it.
    let endless = stream::repeat_with(|| Ok(Bytes::from(vec![0; 100_000])));
    let refused = home.store.upload(&ana, streamed(endless)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    let refused = home.store.upload(&ana, upload(vec![0; 3 * MIB + 1])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert_nothing_of(&home, &ana).await;
    let most = home.store.upload(&ana, streamed(chunks(3, MIB))).await.unwrap();
    assert_eq!(most.size, 3 * MIB as u64);
}

#[tokio::test]
async fn p10_an_interrupted_upload_leaves_nothing() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    for whole in 0..40 {
        let broken = chunks(whole, 64 << 10).chain(stream::once(async {
            Err(Error::new(ErrorKind::InvalidInput, "the client went away"))
        }));
        home.store.upload(&ana, streamed(broken)).await.unwrap_err();
    }
    assert_nothing_of(&home, &ana).await;
}

#[tokio::test]
async fn p10_a_dropped_upload_leaves_nothing() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    for whole in 0..40 {
        let stalled = chunks(whole, 64 << 10).chain(stream::pending());
        let upload = home.store.upload(&ana, streamed(stalled));
        assert!(tokio::time::timeout(Duration::from_millis(5), upload).await.is_err());
    }
    // A write that was running when its upload was dropped deletes the file afterwards.
    while !home.files("incoming").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_nothing_of(&home, &ana).await;
}

#[tokio::test]
async fn p10_an_idle_upload_is_ended() {
    let home = TestStore::with(builder().idle_timeout(Duration::from_millis(20))).await;
    let ana = owner("ana");
    let stalled = chunks(10, 64 << 10).chain(stream::pending());
    let ended = home.store.upload(&ana, streamed(stalled)).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::InvalidInput);
    assert!(ended.to_string().contains("20ms"), "{ended}");
    assert_nothing_of(&home, &ana).await;
}

#[tokio::test]
async fn r07_uploads_over_the_limit_are_refused_at_once() {
    let home = TestStore::with(builder().max_uploads(2)).await;
    let ana = owner("ana");
    let stalled = || home.store.upload(&ana, streamed(stream::pending().boxed()));
    let (mut first, mut second) = (Box::pin(stalled()), Box::pin(stalled()));
    assert!(futures_util::poll!(&mut first).is_pending());
    assert!(futures_util::poll!(&mut second).is_pending());
    let refused = home.store.upload(&ana, upload("third")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    drop(first);
    keep(&home.store, "third", &ana).await;
}

#[tokio::test]
async fn a_quota_is_per_owner_and_counts_concurrent_uploads() {
    let home = TestStore::with(builder().quota(MIB as u64)).await;
    let (ana, bob) = (owner("ana"), owner("bob"));
    let uploads = (0..8).map(|n| home.store.upload(&ana, upload(vec![n; MIB / 4])));
    let results = futures_util::future::join_all(uploads).await;
    let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(refused.iter().all(|error| error.kind() == ErrorKind::TooLarge), "{refused:?}");
    let used = home.store.stats(&ana).await.unwrap().bytes;
    assert!(used <= MIB as u64 && used > 0, "{used}");
    keep(&home.store, vec![9; MIB], &bob).await;

    // Deletion releases the quota.
    for media in home.store.list(&ana, &ListOptions::new()).await.unwrap().items {
        home.store.delete(&ana, &media.id).await.unwrap();
    }
    keep(&home.store, vec![8; MIB], &ana).await;
    let refused = home.store.upload(&ana, upload("one more")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
}
