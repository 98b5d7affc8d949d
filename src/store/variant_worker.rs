//! Background worker that makes variants ahead of requests, one image after the other. Owners take turns
//! (promise P17).

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{db::MediaRow, inner::Inner, renditions::variants};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{FailureReason, MediaStatus},
    owner::Owner,
};

/// Number of pending media among which the owners take turns.
const WINDOW: usize = 256;

/// Number of images until pending media are read again: the turns that a new owner waits for.
const BATCH: usize = 8;

/// Delay after a transient failure.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Number of attempts at an image that exceeds its deadline, because the machine may have been busy.
const ATTEMPTS: u32 = 3;

/// Runs until the store is closed. The queue is the database, so no work is lost.
pub(super) async fn run(inner: Weak<Inner>) {
    let Some((pending, closing)) =
        inner.upgrade().map(|inner| (inner.variants_pending.clone(), inner.closing.clone()))
    else {
        return;
    };
    let mut timeouts = HashMap::new();
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let delay = match closing.run_until_cancelled(process_batch(inner, &mut timeouts)).await {
            None => return,
            Some(Ok(true)) => continue,
            Some(Ok(false)) => Duration::MAX,
            Some(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "variants cannot be made; the worker retries"
                );
                RETRY_DELAY
            }
        };
        let woken = tokio::time::timeout(delay, pending.notified());
        if closing.run_until_cancelled(woken).await.is_none() {
            return;
        }
    }
}

/// Makes the variants of a batch, and returns whether more may be pending. A transient failure of one image
/// does not block the others.
async fn process_batch(inner: Arc<Inner>, timeouts: &mut HashMap<MediaId, u32>) -> Result<bool> {
    let ids = inner.db.processing(WINDOW).await?;
    timeouts.retain(|id, _| ids.contains(id));
    let mut failed = None;
    for row in in_turns(&inner, &ids, timeouts).await? {
        let id = &row.id;
        let Err(error) = process(&inner, &row).await else { continue };
        let attempts = timeouts.entry(id.clone()).or_default();
        *attempts += 1;
        if error.kind() == ErrorKind::Timeout && *attempts >= ATTEMPTS {
            timeouts.remove(id);
            give_up(&inner, id, FailureReason::TimedOut, &error).await?;
        } else {
            failed = Some(error);
        }
    }
    match failed {
        None => Ok(ids.len() > BATCH),
        Some(error) => Err(error),
    }
}

/// The next batch: those without a failed attempt first, then the oldest image of each owner, then the second
/// of each.
async fn in_turns(
    inner: &Inner,
    ids: &[MediaId],
    attempts: &HashMap<MediaId, u32>,
) -> Result<Vec<MediaRow>> {
    let mut counts: HashMap<Owner, usize> = HashMap::new();
    let mut turns = Vec::new();
    for id in ids {
        let Some(row) = inner.db.get(id).await? else { continue };
        let turn = counts.entry(row.owner.clone()).or_default();
        *turn += 1;
        turns.push((attempts.get(id).copied().unwrap_or_default(), *turn, row));
    }
    turns.sort_by_key(|(attempts, turn, _)| (*attempts, *turn));
    Ok(turns.into_iter().take(BATCH).map(|(.., row)| row).collect())
}

/// Makes the variants of one image. Returns transient errors only.
async fn process(inner: &Arc<Inner>, row: &MediaRow) -> Result<()> {
    let id = &row.id;
    match inner.render(row, &variants(row)).await {
        Ok(_) => inner.db.set_status(id, MediaStatus::Ready, None).await.map(drop),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            let reason = error.failure_reason().unwrap_or(FailureReason::Unreadable);
            give_up(inner, id, reason, &error).await
        }
    }
}

async fn give_up(
    inner: &Arc<Inner>,
    id: &MediaId,
    reason: FailureReason,
    error: &Error,
) -> Result<()> {
    tracing::warn!(
        media = %id,
        %reason,
        error = error as &dyn std::error::Error,
        "variants cannot be made; the media is marked as failed"
    );
    inner.db.set_status(id, MediaStatus::Failed, Some(reason)).await.map(drop)
}
