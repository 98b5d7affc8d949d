//! Variants made ahead, in the background, one picture after the other.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{inner::Inner, renditions::variants};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::MediaStatus,
};

/// How many are looked up at once.
const BATCH: usize = 32;

/// How long to wait when something does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a picture is tried that takes too long: the machine may have been busy with others.
const ATTEMPTS: u32 = 3;

/// Works as long as the store is there. What is to be done is in the rows, so nothing is forgotten.
pub(super) async fn work(store: Weak<Inner>) {
    let Some((processing, closing)) =
        store.upgrade().map(|store| (store.processing.clone(), store.closing.clone()))
    else {
        return;
    };
    let mut slow = HashMap::new();
    loop {
        let Some(alive) = store.upgrade() else { return };
        let pause = match closing.run_until_cancelled(round(alive, &mut slow)).await {
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

/// Makes the variants of some, and returns whether there may be more. What fails for now does not keep
/// the others waiting.
async fn round(store: Arc<Inner>, slow: &mut HashMap<MediaId, u32>) -> Result<bool> {
    let ids = store.db.processing(BATCH).await?;
    let mut failed = None;
    for id in &ids {
        let Err(error) = process(&store, id).await else { continue };
        let attempts = slow.entry(id.clone()).or_default();
        *attempts += 1;
        if error.kind() == ErrorKind::Timeout && *attempts >= ATTEMPTS {
            slow.remove(id);
            give_up(&store, id, &error).await?;
        } else {
            failed = Some(error);
        }
    }
    slow.retain(|id, _| ids.contains(id));
    match failed {
        None => Ok(ids.len() == BATCH),
        Some(error) => Err(error),
    }
}

/// Makes the variants of one. An error is one that may not be there the next time.
async fn process(store: &Arc<Inner>, id: &MediaId) -> Result<()> {
    let Some(row) = store.db.get(id).await? else { return Ok(()) };
    match store.make(&row, &variants(&row)).await {
        Ok(_) => store.db.set_status(id, MediaStatus::Ready, row.metadata).await.map(drop),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => give_up(store, id, &error).await,
    }
}

async fn give_up(store: &Arc<Inner>, id: &MediaId, error: &Error) -> Result<()> {
    tracing::warn!(media = %id, error = error as &dyn std::error::Error, "variants cannot be made");
    store.db.set_status(id, MediaStatus::Failed, None).await.map(drop)
}
