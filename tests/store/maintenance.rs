//! Garbage collection, erasure of an owner, verification, shutdown.

use std::{fs, time::Duration};

use tower_media::{
    ErrorKind, Rendition, Store,
    backend::MediaBackend,
    media::{ListOptions, Variant},
};

use crate::support::{TestStore, builder, keep, owner, picture, read};

async fn without_grace() -> TestStore {
    TestStore::with(builder().grace(Duration::ZERO)).await
}

#[tokio::test]
async fn r02_gc_deletes_bytes_once_unreferenced() {
    let home = without_grace().await;
    let (ana, bob) = (owner("ana"), owner("bob"));
    let hers = keep(&home.store, "the same", &ana).await;
    let his = keep(&home.store, "the same", &bob).await;
    assert_eq!(home.files("blobs").len(), 1);

    assert!(home.store.delete(&ana, &hers.id).await.unwrap());
    assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 0);
    assert_eq!(read(&home.store, &his.id, Rendition::Original).await.unwrap(), "the same");

    assert!(home.store.delete(&bob, &his.id).await.unwrap());
    assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1);
    assert!(home.files("blobs").is_empty());
}

#[tokio::test]
async fn r02_gc_keeps_bytes_for_the_grace_period() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    let kept = keep(&home.store, "bytes", &ana).await;
    home.store.delete(&ana, &kept.id).await.unwrap();
    assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 0);
    assert_eq!(home.files("blobs").len(), 1);
}

#[tokio::test]
async fn r02_a_file_without_a_row_is_found_and_collected() {
    let home = without_grace().await;
    let kept = keep(&home.store, "bytes", &owner("ana")).await;
    let stray = home.folder.path().join("blobs/00").join("0".repeat(62));
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, "left by a crash").unwrap();

    let found = home.store.verify().await.unwrap();
    assert_eq!((found.is_sound(), found.strays), (true, 1));
    assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1);
    assert!(!stray.exists());
    assert_eq!(read(&home.store, &kept.id, Rendition::Original).await.unwrap(), "bytes");
}

#[tokio::test]
async fn r05_a_flipped_bit_is_detected_before_the_end() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    for bytes in [vec![7; 10], vec![7; 1_000_000]] {
        let kept = keep(&home.store, bytes.clone(), &ana).await;
        let file = home.blob(&kept);
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        fs::write(&file, &flipped).unwrap();

        let refused = read(&home.store, &kept.id, Rendition::Original).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Integrity, "{} bytes", bytes.len());
        let found = home.store.verify().await.unwrap();
        assert_eq!(found.damaged, [kept.hash]);
        assert!(!found.is_sound());

        // A repeated upload restores the bytes.
        assert_eq!(keep(&home.store, bytes.clone(), &ana).await.id, kept.id);
        assert_eq!(read(&home.store, &kept.id, Rendition::Original).await.unwrap(), bytes);
        assert!(home.store.verify().await.unwrap().is_sound());
    }
}

#[tokio::test]
async fn r05_a_truncated_or_missing_file_is_found() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    let cut = keep(&home.store, vec![1; 1000], &ana).await;
    let lost = keep(&home.store, vec![2; 1000], &ana).await;
    for (kept, missing) in [(&cut, false), (&lost, true)] {
        let file = home.blob(kept);
        if missing { fs::remove_file(file).unwrap() } else { fs::write(file, [1; 999]).unwrap() }
    }
    let kind = |result: tower_media::Result<_>| result.unwrap_err().kind();
    assert_eq!(kind(read(&home.store, &cut.id, Rendition::Original).await), ErrorKind::Integrity);
    assert_eq!(kind(read(&home.store, &lost.id, Rendition::Original).await), ErrorKind::NotFound);
    let found = home.store.verify().await.unwrap();
    assert_eq!((found.damaged, found.missing), (vec![cut.hash], vec![lost.hash]));
}

#[tokio::test]
async fn an_erased_owner_leaves_nothing_and_others_keep_theirs() {
    let home = without_grace().await;
    let (ana, bob) = (owner("ana"), owner("bob"));
    let photo = picture("quad-noexif.jpg");
    let hers = keep(&home.store, photo.clone(), &ana).await;
    let his = keep(&home.store, photo.clone(), &bob).await;
    keep(&home.store, "her diary", &ana).await;
    for id in [&hers.id, &his.id] {
        read(&home.store, id, Variant::Thumbnail).await.unwrap();
    }

    assert_eq!(home.store.erase_owner(&ana).await.unwrap(), 2);
    home.store.collect_garbage().await.unwrap();
    assert!(home.store.list(&ana, &ListOptions::new()).await.unwrap().items.is_empty());
    assert_eq!(home.store.stats(&ana).await.unwrap(), Default::default());
    assert_eq!(home.files("blobs").len(), 1, "the photo that both have");
    let renditions = home.files("renditions");
    assert!(renditions.iter().all(|path| path.to_str().unwrap().contains(his.id.as_ref())));
    assert_eq!(read(&home.store, &his.id, Rendition::Original).await.unwrap(), photo);
    assert_eq!(home.store.erase_owner(&ana).await.unwrap(), 0);
}

#[tokio::test]
async fn r08_close_finishes_complete_uploads_and_refuses_others() {
    let home = TestStore::new().await;
    let ana = owner("ana");
    let uploads: Vec<_> = (0..16)
        .map(|n| {
            let (store, ana) = (home.store.clone(), ana.clone());
            tokio::spawn(async move {
                store.upload(&ana, crate::support::upload(vec![n; 300_000])).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    home.store.close().await.unwrap();
    let mut acknowledged = Vec::new();
    for upload in uploads {
        match upload.await.unwrap() {
            Ok(media) => acknowledged.push(media.id),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
    }
    let TestStore { folder, store } = home;
    drop(store);
    let store = Store::open(folder.path()).await.unwrap();
    for id in &acknowledged {
        assert_eq!(read(&store, id, Rendition::Original).await.unwrap().len(), 300_000);
    }
    assert!(store.verify().await.unwrap().is_sound());
}
