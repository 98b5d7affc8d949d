//! Variants made ahead, in the background, one picture after the other.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::store::Store;
use crate::{error::Result, id::MediaId, media::MediaStatus, rendition::Variant};

/// How many are looked up at once.
const BATCH: usize = 32;

/// How long to wait when something does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Works as long as the store is there. What is to be done is in the rows, so nothing is forgotten.
pub(super) async fn work(store: Weak<Store>) {
    let Some((processing, closing)) =
        store.upgrade().map(|store| (store.processing.clone(), store.closing.clone()))
    else {
        return;
    };
    loop {
        let Some(alive) = store.upgrade() else { return };
        let pause = match closing.run_until_cancelled(round(alive)).await {
            None => return,
            Some(Ok(true)) => continue,
            Some(Ok(false)) => Duration::MAX,
            Some(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "variants cannot be made"
                );
                PAUSE
            }
        };
        let woken = tokio::time::timeout(pause, processing.notified());
        if closing.run_until_cancelled(woken).await.is_none() {
            return;
        }
    }
}

/// Makes the variants of some, and returns whether there may be more.
async fn round(store: Arc<Store>) -> Result<bool> {
    let ids = store.catalog.processing(BATCH).await?;
    for id in &ids {
        process(&store, id).await?;
    }
    Ok(ids.len() == BATCH)
}

async fn process(store: &Arc<Store>, id: &MediaId) -> Result<()> {
    let Some(row) = store.catalog.get(id).await? else { return Ok(()) };
    let metadata = row.metadata.as_ref();
    let finish = |status| async move {
        store.catalog.set_status(id, status, metadata.cloned()).await.map(drop)
    };
    let Err(error) = store.make(&row, &Variant::ALL.map(Variant::transform)).await else {
        return finish(MediaStatus::Ready).await;
    };
    if error.is_transient() {
        return Err(error);
    }
    tracing::warn!(media = %id, error = &error as &dyn std::error::Error, "variants cannot be made");
    finish(MediaStatus::Failed).await
}
