//! A gateway that fails in the ways that networks and services fail (promises R4 and M5).

use std::time::{Duration, Instant};

use tower_media::{ErrorKind, Rendition, Store, backend::MediaBackend, media::ListOptions};

use crate::{
    proxy::{Fault, Proxy},
    support::{Bucket, address, keep, noise, owner, picture, read, upload},
};

/// A store whose requests pass through a proxy, and fail within 1 s.
async fn behind_a_proxy(bucket: &Bucket) -> (Proxy, Store) {
    let proxy = Proxy::start(address()).await;
    let endpoint = format!("http://{}", proxy.address());
    let builder = bucket.builder().bucket_with(bucket.url(), [("aws_endpoint", endpoint)]);
    let builder = builder.idle_timeout(Duration::from_secs(1));
    let store = builder.open(bucket.folder.path()).await.unwrap();
    (proxy, store)
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn m05_a_failing_gateway_is_reported_and_recovers() {
    let bucket = Bucket::new();
    let (proxy, store) = behind_a_proxy(&bucket).await;
    let (ana, photo) = (owner("ana"), picture("quad-noexif.jpg"));
    let kept = keep(&store, photo.clone()).await;
    let mut acknowledged = vec![(kept.id.clone(), photo)];
    for fault in [Fault::Refuses(""), Fault::Stalled, Fault::HalfOpen, Fault::Cut] {
        proxy.set(fault);
        for size in [10, 600_000, 12_000_000] {
            let begun = Instant::now();
            let failed = store.upload(&ana, upload(noise(size))).await.unwrap_err();
            assert!(failed.is_transient(), "{fault:?}: an upload of {size} bytes: {failed:?}");
            assert!(begun.elapsed() < Duration::from_secs(10), "{fault:?}: {size} bytes");
            let problem = serde_json::to_string(&failed.problem()).unwrap();
            assert!(!problem.contains(&bucket.url()[10..]), "{problem}");
        }
        for what in [Rendition::Original, Rendition::png(10)] {
            let failed = read(&store, &kept.id, what).await.unwrap_err();
            assert!(failed.is_transient(), "{fault:?}: {what:?}: {failed:?}");
        }
        assert!(store.check_health().await.unwrap_err().is_transient(), "{fault:?}");
        // Rows need no bucket.
        let listed = store.list(&ana, &ListOptions::new()).await.unwrap().items;
        assert_eq!(listed.len(), acknowledged.len(), "{fault:?}");

        proxy.set(Fault::None);
        store.check_health().await.unwrap();
        let bytes = noise(500_000 + acknowledged.len());
        let media = keep(&store, bytes.clone()).await;
        acknowledged.push((media.id, bytes));
        for (id, bytes) in &acknowledged {
            assert_eq!(read(&store, id, Rendition::Original).await.unwrap(), bytes, "{fault:?}");
        }
    }
    store.collect_garbage().await.unwrap();
    let found = store.verify().await.unwrap();
    assert!(found.is_sound() && found.strays == 0, "{found:?}");
    assert_eq!(found.checked, acknowledged.len() as u64);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn m05_a_short_outage_is_bridged_by_repetitions() {
    let bucket = Bucket::new();
    let (proxy, store) = behind_a_proxy(&bucket).await;
    proxy.set(Fault::Refuses(""));
    let ana = owner("ana");
    let uploaded = store.upload(&ana, upload("bytes"));
    let lifted = async {
        // The first repetition follows after 100 ms.
        tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await.ok();
        proxy.set(Fault::None);
    };
    let (media, ()) = tokio::join!(uploaded, lifted);
    assert_eq!(read(&store, &media.unwrap().id, Rendition::Original).await.unwrap(), "bytes");
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn r05_a_truncated_response_is_not_delivered_as_whole() {
    let bucket = Bucket::new();
    let (proxy, store) = behind_a_proxy(&bucket).await;
    let bytes = noise(5_000_000);
    let media = keep(&store, bytes.clone()).await;
    // Every connection ends early, so that the rest cannot be fetched by ranges either.
    proxy.set(Fault::CutAfter(100_000));
    let failed = read(&store, &media.id, Rendition::Original).await.unwrap_err();
    assert!(failed.is_transient(), "{failed:?}");
    proxy.set(Fault::None);
    assert_eq!(read(&store, &media.id, Rendition::Original).await.unwrap(), bytes);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn r09_a_bucket_that_cannot_work_is_refused_at_start() {
    let bucket = Bucket::new();
    let wrong = [
        ("s3://no-such-bucket".to_owned(), ("aws_region", "default")),
        (bucket.url(), ("aws_secret_access_key", "not-the-secret")),
        (bucket.url(), ("aws_access_key_id", "unknown")),
        (bucket.url(), ("aws_endpoint", "http://127.0.0.1:1")),
    ];
    for (url, option) in wrong {
        let builder =
            bucket.builder().bucket_with(url, [option]).idle_timeout(Duration::from_secs(2));
        let refused = builder.open(bucket.folder.path()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{option:?}: {refused:?}");
        assert!(refused.to_string().starts_with("the bucket does not store"), "{refused}");
        let chain = format!("{refused:?}");
        assert!(!chain.contains("not-the-secret"), "{chain}");
        assert!(!chain.contains(&std::env::var("AWS_SECRET_ACCESS_KEY").unwrap()), "{chain}");
    }
    bucket.open().await;
    assert_eq!(bucket.list("").await, [], "a probe is left");
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn g05_a_missing_bucket_is_an_outage_not_a_404() {
    // A bucket that was deleted after the start, as the error of an object store without that bucket.
    let bucket = Bucket::new();
    let store = bucket.open().await;
    let media = keep(&store, "bytes").await;
    store.close().await.unwrap();
    drop(store);
    let missing = object_store::aws::AmazonS3Builder::from_env()
        .with_bucket_name("no-such-bucket")
        .build()
        .unwrap();
    let store = Store::builder()
        .object_store(std::sync::Arc::new(missing))
        .open(bucket.folder.path())
        .await
        .unwrap();
    let failed = read(&store, &media.id, Rendition::Original).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed:?}");
    assert_eq!(store.verify().await.unwrap_err().kind(), ErrorKind::Unavailable);
}
