//! The suite that every backend passes, over the embedded store on each of its engines.

use std::sync::Arc;

use object_store::memory::InMemory as Objects;
use tower_media::{store::MakeVariants, testkit::conformance};

use crate::support::{Home, builder};

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    conformance::run(&Home::new().await.store).await;
}

#[tokio::test]
async fn an_object_store_keeps_the_contract() {
    let builder = builder().object_store(Arc::new(Objects::new()));
    conformance::run(&Home::with(builder).await.store).await;
}

#[tokio::test]
async fn variants_made_ahead_keep_the_contract() {
    let builder = builder().variants(MakeVariants::Ahead);
    conformance::run(&Home::with(builder).await.store).await;
}
