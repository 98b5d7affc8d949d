//! Uploads, deletions and garbage collection that meet: no lock holds while bytes move.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{TryStreamExt as _, future};
use object_store::ObjectStore as _;
use tower_media::{ErrorKind, MediaId, Rendition, Store, backend::MediaBackend};

use crate::{
    faulty_store::{Fault, FaultyStore},
    support::{TestStore, builder, keep, owner, read, upload},
};

/// Without a grace period, garbage collection claims a content between any two steps of an upload.
async fn over(objects: &FaultyStore) -> TestStore {
    TestStore::with(builder().object_store(Arc::new(objects.clone())).grace(Duration::ZERO)).await
}

fn collect(store: &Store) -> tokio::task::JoinHandle<tower_media::Result<u64>> {
    let store = store.clone();
    tokio::spawn(async move { Ok(store.collect_garbage().await?.blobs) })
}

async fn stored(objects: &FaultyStore) -> usize {
    objects.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

#[tokio::test]
async fn m01_a_late_delete_does_not_hit_a_new_upload() {
    for collector_dies in [false, true] {
        let objects = FaultyStore::default();
        let home = over(&objects).await;
        let ana = owner("ana");
        let first = keep(&home.store, "the same", &ana).await;
        assert!(home.store.delete(&ana, &first.id).await.unwrap());
        objects.set(Fault::HoldsDeletes);
        let collector = collect(&home.store);
        objects.until_held(1).await;

        let second = keep(&home.store, "the same", &ana).await;
        assert_eq!(stored(&objects).await, 2, "the new upload has an object of its own");
        if collector_dies {
            collector.abort();
            collector.await.unwrap_err();
            objects.set(Fault::None);
            assert_eq!(stored(&objects).await, 2);
            assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1, "taken over");
        } else {
            objects.set(Fault::None);
            assert_eq!(collector.await.unwrap().unwrap(), 1);
        }
        assert_eq!(stored(&objects).await, 1);
        assert_eq!(read(&home.store, &second.id, Rendition::Original).await.unwrap(), "the same");
        let found = home.store.verify().await.unwrap();
        assert!(found.is_sound() && found.strays == 0, "{found:?}");
    }
}

#[tokio::test]
async fn m02_an_upload_that_lost_its_lease_begins_again() {
    let objects = FaultyStore::default();
    let home = over(&objects).await;
    // In memory, and in a temporary file.
    for size in [10, 600_000] {
        objects.set(Fault::HoldsPuts);
        let store = home.store.clone();
        let running = tokio::spawn(async move { keep(&store, vec![1; size], &owner("ana")).await });
        objects.until_held(1).await;
        assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1, "the pending content");
        objects.set(Fault::None);
        let kept = running.await.unwrap();
        let bytes = read(&home.store, &kept.id, Rendition::Original).await.unwrap();
        assert_eq!(bytes, vec![1; size]);
        // The bytes that came too late are collected once more.
        assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1);
        assert_eq!(stored(&objects).await, 1);
        assert!(home.store.delete(&owner("ana"), &kept.id).await.unwrap());
        home.store.collect_garbage().await.unwrap();
    }
    assert!(home.files("incoming").is_empty());
}

/// One owner, who uploads the same few contents again and again and deletes them. Returns what was
/// acknowledged and not deleted.
async fn uploader(store: Store, name: String, rounds: usize) -> HashMap<MediaId, Vec<u8>> {
    let (owner, mut kept) = (owner(&name), HashMap::new());
    for _ in 0..rounds {
        let content = vec![rand::random_range(0..4); 10];
        match store.upload(&owner, upload(content.clone())).await {
            Ok(media) => {
                let bytes = read(&store, &media.id, Rendition::Original).await;
                assert_eq!(bytes.expect("an acknowledged upload"), content);
                kept.insert(media.id, content);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
        let some = kept.keys().next().cloned();
        if let Some(id) = some.filter(|_| rand::random_bool(0.95)) {
            kept.remove(&id);
            assert!(store.delete(&owner, &id).await.unwrap());
        }
    }
    kept
}

#[tokio::test]
async fn m02_no_interleaving_leaves_a_row_without_bytes() {
    let objects = FaultyStore::default();
    let home = over(&objects).await;
    objects.set(Fault::Interleaves);
    let working = Arc::new(AtomicUsize::new(4));
    let uploaders = (0..4).map(|number| {
        let (store, working) = (home.store.clone(), working.clone());
        tokio::spawn(async move {
            let kept = uploader(store, format!("owner {number}"), 150).await;
            working.fetch_sub(1, Ordering::Relaxed);
            kept
        })
    });
    let uploaders: Vec<_> = uploaders.collect();
    let collectors = (0..3).map(|_| {
        let (store, working) = (home.store.clone(), working.clone());
        tokio::spawn(async move {
            let mut collected = 0;
            while working.load(Ordering::Relaxed) > 0 {
                // One that fails has died between claim and delete; the next takes over.
                collected += store.collect_garbage().await.map_or(0, |report| report.blobs);
                tokio::task::yield_now().await;
            }
            collected
        })
    });
    let collectors: Vec<_> = collectors.collect();
    future::join_all(uploaders).await.into_iter().for_each(|kept| drop(kept.unwrap()));
    let collected = future::join_all(collectors).await.into_iter().map(Result::unwrap).sum::<u64>();
    assert!(collected > 0);

    objects.until_held(0).await;
    objects.set(Fault::None);
    let found = home.store.verify().await.unwrap();
    assert!(found.is_sound(), "{found:?}");
    // Objects of uploads that failed and were placed after their content had been collected.
    home.store.collect_garbage().await.unwrap();
    assert_eq!(stored(&objects).await as u64, found.checked);
    assert_eq!(home.store.verify().await.unwrap().strays, 0);
}

#[tokio::test]
async fn m03_64_uploads_at_once_fill_a_quota_exactly() {
    const SIZE: usize = 1_000;
    for accepted in [0, 1, 17] {
        let home = TestStore::with(builder().quota((accepted * SIZE + SIZE / 2) as u64)).await;
        let ana = owner("ana");
        let uploads = (0..64).map(|n| home.store.upload(&ana, upload(vec![n; SIZE])));
        let done = future::join_all(uploads).await;
        let (kept, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        assert_eq!(kept.len(), accepted);
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
        }
        let stats = home.store.stats(&ana).await.unwrap();
        assert_eq!((stats.count, stats.bytes), (accepted as u64, (accepted * SIZE) as u64));
    }
}
