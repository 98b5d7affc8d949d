//! Large uploads: in parts, aborted on failure.

use std::time::Duration;

use object_store::{
    path::Path,
    signer::{Method, SignedUrlOptions, Signer as _},
};
use tower_media::{ErrorKind, Rendition, backend::MediaBackend};

use crate::{
    proxy::{Fault, Proxy},
    support::{Bucket, address, client, noise, owner, read, stream},
};

/// Returns the number of incomplete multipart uploads of a bucket's prefix.
async fn incomplete(bucket: &Bucket) -> usize {
    let query = SignedUrlOptions::new().with_query([("uploads", "")]);
    let expires_in = Duration::from_secs(60);
    let url = client().signed_url_opts(Method::GET, &Path::default(), expires_in, &query).await;
    let listed = reqwest::get(url.unwrap()).await.unwrap().text().await.unwrap();
    assert!(listed.contains("ListMultipartUploadsResult"), "{listed}");
    listed.matches(&format!("<Key>{}", bucket.url().rsplit('/').next().unwrap())).count()
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn a_large_upload_is_sent_in_parts_and_read_back() {
    let bucket = Bucket::new();
    let store = bucket.open().await;
    // Around the size of one part, and several.
    for size in [(8 << 20) - 1, 8 << 20, (8 << 20) + 1, 20_000_000] {
        let bytes = noise(size);
        let media = store.upload(&owner("ana"), stream(bytes.clone())).await.unwrap();
        assert_eq!(read(&store, &media.id, Rendition::Original).await.unwrap(), bytes, "{size}");
    }
    assert_eq!(incomplete(&bucket).await, 0);
    let parts = bucket.list("blobs").await;
    assert!(parts.iter().any(|object| object.e_tag.as_ref().is_some_and(|tag| tag.contains("-3"))));
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn r04_a_failed_multipart_upload_leaves_no_parts() {
    let bucket = Bucket::new();
    let proxy = Proxy::start(address()).await;
    let endpoint = format!("http://{}", proxy.address());
    let store = bucket
        .builder()
        .bucket_with(bucket.url(), [("aws_endpoint", endpoint)])
        .idle_timeout(Duration::from_secs(20))
        .open(bucket.folder.path())
        .await
        .unwrap();
    let ana = owner("ana");
    for fault in [Fault::Refuses("PUT"), Fault::Refuses("POST")] {
        let bytes = noise(40_000_000);
        let uploaded = store.upload(&ana, stream(bytes.clone()));
        let faults = async {
            if fault == Fault::Refuses("POST") {
                // The request that begins the upload has the method of the one that completes it.
                while incomplete(&bucket).await == 0 {
                    tokio::task::yield_now().await;
                }
            }
            proxy.set(fault);
        };
        let (failed, ()) = tokio::join!(uploaded, faults);
        let failed = failed.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{fault:?}: {failed:?}");
        assert_eq!(incomplete(&bucket).await, 0, "{fault:?}");
        proxy.set(Fault::None);
        let media = store.upload(&ana, stream(bytes.clone())).await.unwrap();
        assert_eq!(read(&store, &media.id, Rendition::Original).await.unwrap(), bytes);
        assert!(store.delete(&ana, &media.id).await.unwrap());
        store.collect_garbage().await.unwrap();
        assert_eq!(bucket.list("").await, []);
    }
}
