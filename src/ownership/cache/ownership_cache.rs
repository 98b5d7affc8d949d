//! The cache that backends use.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    answer::{Outcome, outcome},
    query_task::{QueryFn, QueryTask},
    state::{Capacity, Change, ChangeGuard, Shared},
};
use crate::{
    error::{Error, Result},
    id::MediaId,
    owner::{Owner, Scopes},
};

/// The ownership cache of one backend. Clones share it.
#[derive(Clone)]
pub(crate) struct OwnershipCache(pub(super) Arc<Shared>);

impl OwnershipCache {
    /// Creates an empty cache. Answers are cached for at most `max_staleness`; zero caches nothing.
    pub(crate) fn new(max_staleness: Duration) -> Self {
        Self::with_capacity(max_staleness, Capacity::default())
    }

    pub(super) fn with_capacity(max_staleness: Duration, capacity: Capacity) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), max_staleness, capacity }))
    }

    /// Returns those of `ids` that are owned: from the cache unless `bypass_cache`, else from a query
    /// that all concurrent callers for this owner and these scopes share.
    pub(crate) async fn owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        bypass_cache: bool,
        query: &Arc<QueryFn>,
    ) -> Result<Vec<MediaId>> {
        let mut max_age = if bypass_cache { Duration::ZERO } else { self.0.max_staleness };
        if ids.is_empty() || self.0.state.lock().has_all(owner, scopes, ids, max_age) {
            count_check("cached");
            return Ok(ids.to_vec());
        }
        count_check("queried");
        loop {
            let answer = match outcome(self.join(owner, scopes, ids, max_age, query)).await? {
                Ok(answer) => answer,
                // If the batch failed because of another caller's id, retry with only our ids.
                Err(failure) if failure.may_be_of_others(ids) => {
                    let result = query(owner.clone(), scopes.clone(), ids.to_vec()).await?;
                    return result.among(ids);
                }
                Err(failure) => return Err(Error::shared(Arc::clone(&failure.error))),
            };
            if let Some(error) = &answer.undecided
                && ids.iter().any(|id| !answer.owned.contains(id) && answer.queried.contains(id))
            {
                return Err(Error::shared(Arc::clone(error)));
            }
            if ids.iter().all(|id| answer.covers(id)) {
                return Ok(ids.iter().filter(|id| answer.owned.contains(*id)).cloned().collect());
            }
            // The joined query stopped before it reached our ids. The next query contains them.
            max_age = Duration::ZERO;
        }
    }

    /// Joins the query in flight if it will answer for `ids` and started less than `max_age` ago, else
    /// the next query.
    fn join(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        max_age: Duration,
        query: &Arc<QueryFn>,
    ) -> watch::Receiver<Option<Outcome>> {
        let mut state = self.0.state.lock();
        let lists = state.lists;
        let slot = state.owners.entry(owner.clone()).or_default().entry(scopes.clone());
        let slot = slot.or_default();
        let idle = slot.queries.is_none();
        let queries = slot.queries.get_or_insert_default();
        if let Some(in_flight) = &queries.in_flight
            && !in_flight.invalidated
            && in_flight.since.elapsed() < max_age
            && (lists || ids.iter().all(|id| in_flight.queried.contains(id)))
        {
            return in_flight.outcome.clone();
        }
        let next = queries.next.get_or_insert_default();
        next.ids.extend(ids.iter().cloned());
        let outcome = next.outcome.subscribe();
        // Outside of a runtime, `spawn` drops the task at once, and its `drop` takes the lock.
        drop(state);
        if idle {
            let task = QueryTask::new(&self.0, owner, scopes);
            tokio::spawn(task.run(Arc::clone(query)));
        }
        outcome
    }

    /// Invalidates answers that an upload of this owner may contradict, now and when the guard is
    /// dropped.
    pub(crate) fn upload_guard(&self, owner: &Owner) -> ChangeGuard {
        ChangeGuard::new(&self.0, Change::Upload(owner.clone()))
    }

    /// Removes `id` from the cache for all owners, now and when the guard is dropped.
    pub(crate) fn deletion_guard(&self, id: &MediaId) -> ChangeGuard {
        ChangeGuard::new(&self.0, Change::Deletion(id.clone()))
    }
}

/// Counts a check that the cache answered, or that waited for a query.
fn count_check(answer: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_ownership_checks_total", "answer" => answer).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = answer;
}
