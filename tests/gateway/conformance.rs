//! The conformance suite over the gateway.

use tower_media::{store::MakeVariants, testkit::conformance};

use crate::support::Bucket;

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn a_bucket_passes_conformance() {
    let bucket = Bucket::new();
    conformance::run(&bucket.open().await).await;
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn a_bucket_with_variants_ahead_passes_conformance() {
    let bucket = Bucket::new();
    let store = bucket.builder().variants(MakeVariants::Ahead).open(bucket.folder.path()).await;
    conformance::run(&store.unwrap()).await;
}
