//! The concurrency limit of uploads, in total and for each owner (promise R7).

use std::{collections::HashMap, sync::Arc};

use parking_lot::{Mutex, MutexGuard};

use super::UploadRejection;
use crate::owner::Owner;

/// Counts active uploads. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct ConcurrencyLimit(Arc<Mutex<ActiveUploads>>);

#[derive(Debug, Default)]
struct ActiveUploads {
    total: usize,
    by_owner: HashMap<Owner, usize>,
}

/// The permit of one upload, returned when it is dropped.
#[derive(Debug)]
pub(super) struct ConcurrencyPermit {
    limit: ConcurrencyLimit,
    owner: Owner,
}

impl ConcurrencyLimit {
    /// Takes a permit if fewer than `max_total` uploads are active, and fewer than `max_per_owner` of this
    /// owner.
    pub(super) fn acquire(
        &self,
        owner: &Owner,
        max_total: usize,
        max_per_owner: usize,
    ) -> Result<ConcurrencyPermit, UploadRejection> {
        let mut active = self.active();
        if active.by_owner.get(owner).is_some_and(|count| *count >= max_per_owner) {
            return Err(UploadRejection::OwnerTooBusy);
        }
        if active.total >= max_total {
            return Err(UploadRejection::TooBusy);
        }
        active.total += 1;
        *active.by_owner.entry(owner.clone()).or_default() += 1;
        Ok(ConcurrencyPermit { limit: self.clone(), owner: owner.clone() })
    }

    fn active(&self) -> MutexGuard<'_, ActiveUploads> {
        self.0.lock()
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        let mut active = self.limit.active();
        active.total -= 1;
        if let Some(count) = active.by_owner.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                active.by_owner.remove(&self.owner);
            }
        }
    }
}
