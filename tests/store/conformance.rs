//! The conformance suite over a folder, an object store, and variants made ahead.

use std::sync::Arc;

use object_store::memory::InMemory as Objects;
use tower_media::{store::MakeVariants, testkit::conformance};

use crate::support::{TestStore, builder};

#[tokio::test]
async fn a_folder_passes_conformance() {
    conformance::run(&TestStore::new().await.store).await;
}

#[tokio::test]
async fn an_object_store_passes_conformance() {
    let builder = builder().object_store(Arc::new(Objects::new()));
    conformance::run(&TestStore::with(builder).await.store).await;
}

#[tokio::test]
async fn variants_made_ahead_pass_conformance() {
    let builder = builder().variants(MakeVariants::Ahead);
    conformance::run(&TestStore::with(builder).await.store).await;
}
