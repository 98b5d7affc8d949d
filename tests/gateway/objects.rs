//! Blobs and renditions in a bucket.

use object_store::{ObjectStoreExt as _, PutPayload};
use tower_media::{
    ErrorKind, Rendition,
    backend::MediaBackend,
    media::{ByteRange, DownloadOptions, Variant},
};

use crate::support::{Bucket, keep, noise, owner, picture, read, upload};

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn r03_concurrent_equal_uploads_are_one() {
    let bucket = Bucket::new();
    let store = bucket.open().await;
    let (ana, photo) = (owner("ana"), picture("exif-gps.jpg"));
    let uploads = (0..64).map(|_| store.upload(&ana, upload(photo.clone())));
    let kept = futures_util::future::try_join_all(uploads).await.unwrap();
    assert!(kept.iter().all(|media| *media == kept[0]));
    assert_eq!(store.stats(&ana).await.unwrap().count, 1);
    let found = store.verify().await.unwrap();
    assert_eq!((found.checked, found.strays), (1, 0), "{found:?}");
    assert_eq!(bucket.list("blobs").await.len(), 1);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn p13_a_range_is_read_as_a_range() {
    let bucket = Bucket::new();
    let store = bucket.open().await;
    let bytes = noise(300_000);
    let media = keep(&store, bytes.clone()).await;
    for (range, expected) in [
        (ByteRange::Bounded { first: 0, last: 0 }, &bytes[..1]),
        (ByteRange::Bounded { first: 1_000, last: 250_000 }, &bytes[1_000..=250_000]),
        (ByteRange::Offset(299_999), &bytes[299_999..]),
        (ByteRange::Suffix(5), &bytes[299_995..]),
    ] {
        let options = DownloadOptions::new(Rendition::Original).with_range(range);
        let part = store.download(&media.id, &options).await.unwrap();
        assert_eq!(part.length(), Some(expected.len() as u64));
        assert_eq!(part.into_bytes(1 << 20).await.unwrap(), expected, "{range:?}");
    }
    let beyond = DownloadOptions::new(Rendition::Original).with_range(ByteRange::Offset(300_000));
    let refused = store.download(&media.id, &beyond).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RangeNotSatisfiable);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn r05_a_damaged_object_is_refused_and_mended() {
    let bucket = Bucket::new();
    let store = bucket.open().await;
    let bytes = noise(200_000);
    let media = keep(&store, bytes.clone()).await;
    let [object] = &bucket.list("blobs").await[..] else { panic!("one blob") };
    let mut flipped = bytes.to_vec();
    flipped[100_000] ^= 1;
    for damaged in [flipped, bytes[..1_000].to_vec()] {
        let damaged = PutPayload::from(damaged);
        bucket.objects().put(&object.location, damaged).await.unwrap();
        let refused = read(&store, &media.id, Rendition::Original).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Integrity, "{refused:?}");
        let found = store.verify().await.unwrap();
        assert_eq!(found.damaged, [media.hash], "{found:?}");
    }
    keep(&store, bytes.clone()).await;
    assert_eq!(read(&store, &media.id, Rendition::Original).await.unwrap(), bytes);
    assert!(store.verify().await.unwrap().is_sound());
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn renditions_are_stored_read_and_deleted() {
    let bucket = Bucket::new();
    let store = bucket.open().await;
    let photo = keep(&store, picture("plain-1000x700.jpg")).await;
    let made = read(&store, &photo.id, Variant::Medium).await.unwrap();
    assert!(!bucket.list("renditions").await.is_empty());
    assert_eq!(read(&store, &photo.id, Variant::Medium).await.unwrap(), made);
    assert_eq!(store.verify().await.unwrap().strays, 0);
    assert!(store.delete(&owner("ana"), &photo.id).await.unwrap());
    store.collect_garbage().await.unwrap();
    assert_eq!(bucket.list("").await, []);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn r01_a_store_opened_again_has_its_media() {
    let bucket = Bucket::new();
    let store = bucket.open().await;
    let small = keep(&store, "a few bytes").await;
    let large = keep(&store, noise(9_000_000)).await;
    store.close().await.unwrap();
    drop(store);
    let store = bucket.open().await;
    assert_eq!(read(&store, &small.id, Rendition::Original).await.unwrap(), "a few bytes");
    assert_eq!(read(&store, &large.id, Rendition::Original).await.unwrap(), noise(9_000_000));
    assert_eq!(store.verify().await.unwrap().checked, 2);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn m06_a_folder_moves_to_a_bucket_and_back() {
    let (bucket, folders) =
        (Bucket::new(), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    let first = tower_media::Store::open(folders[0].path()).await.unwrap();
    let kept =
        [keep(&first, "small").await, keep(&first, noise(9_000_000)).await, keep(&first, "").await];
    let in_bucket = bucket.open().await;
    let last = tower_media::Store::open(folders[1].path()).await.unwrap();
    for (from, to) in [(&first, &in_bucket), (&in_bucket, &last)] {
        assert!(from.copy_to(to, |_| {}).await.unwrap().is_complete());
        assert_eq!(to.verify().await.unwrap().checked, 3);
        for media in &kept {
            assert_eq!(to.get(&media.id).await.unwrap(), *media);
        }
    }
    assert_eq!(bucket.list("blobs").await.len(), 3);
}
