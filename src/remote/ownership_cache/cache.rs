//! The cache, its queries in flight, and their invalidation.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::watch, time::Instant};

use super::answer::{Answer, CachedIds, Failure, Outcome, QueryResult, outcome};
use crate::{
    error::{Error, Result},
    id::MediaId,
    owner::{Owner, Scopes},
    remote::observe,
};

/// Queries the service for one owner, some scopes and at least these ids.
pub(in crate::remote) type QueryFn =
    dyn Fn(Owner, Scopes, Vec<MediaId>) -> BoxFuture<'static, Result<QueryResult>> + Send + Sync;

/// The ownership cache of one backend. Clones share it.
#[derive(Clone)]
pub(in crate::remote) struct OwnershipCache {
    state: Arc<Mutex<State>>,
    max_staleness: Duration,
    capacity: Capacity,
}

/// The most that is cached.
#[derive(Clone, Copy)]
struct Capacity {
    owners: usize,
    ids: usize,
}

impl Default for Capacity {
    /// About 100 MB.
    fn default() -> Self {
        Self { owners: 10_000, ids: 1_000_000 }
    }
}

#[derive(Default)]
struct State {
    owners: HashMap<Owner, HashMap<Scopes, Slot>>,
    /// The number of cached ids.
    cached_ids: usize,
    /// Whether the service's last answer was a list, so the query in flight will probably answer for
    /// ids that are not in it.
    lists: bool,
}

/// The cached ids and the queries of one owner in some scopes. Empty slots are removed.
#[derive(Default)]
struct Slot {
    cached: Option<CachedIds>,
    /// Present while a [`QueryTask`] runs.
    queries: Option<Queries>,
}

#[derive(Default)]
struct Queries {
    in_flight: Option<InFlight>,
    next: Option<Batch>,
}

/// The query in flight.
struct InFlight {
    since: Instant,
    queried: Arc<HashSet<MediaId>>,
    /// Whether an upload or a deletion started or ended since. The answer may predate it, so later
    /// callers do not use the answer.
    invalidated: bool,
    outcome: watch::Receiver<Option<Outcome>>,
}

/// The ids of the next query.
#[derive(Default)]
struct Batch {
    ids: HashSet<MediaId>,
    outcome: watch::Sender<Option<Outcome>>,
}

impl OwnershipCache {
    pub(in crate::remote) fn new(max_staleness: Duration) -> Self {
        Self { state: Arc::default(), max_staleness, capacity: Capacity::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Returns those of `ids` that are owned: from the cache unless `bypass_cache`, else from a query
    /// that all concurrent callers for this owner and these scopes share.
    pub(in crate::remote) async fn owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        bypass_cache: bool,
        query: &Arc<QueryFn>,
    ) -> Result<Vec<MediaId>> {
        let mut max_age = if bypass_cache { Duration::ZERO } else { self.max_staleness };
        if ids.is_empty() || self.state().has_all(owner, scopes, ids, max_age) {
            observe::cache_hit();
            return Ok(ids.to_vec());
        }
        observe::cache_miss();
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
        let mut state = self.state();
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
            let (cache, owner, scopes) = (self.clone(), owner.clone(), scopes.clone());
            let task = QueryTask { cache, owner, scopes, ended: false };
            tokio::spawn(task.run(Arc::clone(query)));
        }
        outcome
    }

    /// Invalidates answers that an upload of this owner may contradict, now and when the guard is
    /// dropped.
    pub(in crate::remote) fn upload_guard(&self, owner: &Owner) -> ChangeGuard {
        ChangeGuard::new(self, Change::Upload(owner.clone()))
    }

    /// Removes `id` from the cache for all owners, now and when the guard is dropped.
    pub(in crate::remote) fn deletion_guard(&self, id: &MediaId) -> ChangeGuard {
        ChangeGuard::new(self, Change::Deletion(id.clone()))
    }
}

/// Runs one query after the other while callers wait. It is a task of its own, so that the other callers
/// get their answer if the first one is cancelled.
struct QueryTask {
    cache: OwnershipCache,
    owner: Owner,
    scopes: Scopes,
    ended: bool,
}

impl QueryTask {
    async fn run(mut self, query: Arc<QueryFn>) {
        while let Some((since, queried, sender)) = self.start_next() {
            let ids = queried.iter().cloned().collect();
            observe::ownership_query();
            let outcome = match query(self.owner.clone(), self.scopes.clone(), ids).await {
                Ok(QueryResult { owned, complete, listed, undecided }) => {
                    let (owned, undecided) = (Arc::new(owned), undecided.map(Arc::new));
                    Ok(Arc::new(Answer { since, queried, owned, complete, listed, undecided }))
                }
                Err(error) => Err(Arc::new(Failure { error: Arc::new(error), queried })),
            };
            self.finish(outcome.as_deref().ok());
            // Not `send`, which fails if all callers were cancelled.
            sender.send_replace(Some(outcome));
        }
    }

    /// Takes the next batch, or ends the task if no caller waits for one.
    #[expect(clippy::type_complexity, reason = "a batch taken apart")]
    fn start_next(
        &mut self,
    ) -> Option<(Instant, Arc<HashSet<MediaId>>, watch::Sender<Option<Outcome>>)> {
        let mut state = self.cache.state();
        let queries = state.slot(&self.owner, &self.scopes)?.queries.as_mut()?;
        let next = queries.next.take().filter(|batch| batch.outcome.receiver_count() > 0);
        let Some(Batch { ids, outcome: sender }) = next else {
            self.ended = true;
            state.end_queries(&self.owner, &self.scopes);
            return None;
        };
        let (since, ids) = (Instant::now(), Arc::new(ids));
        let (queried, outcome) = (Arc::clone(&ids), sender.subscribe());
        queries.in_flight = Some(InFlight { since, queried, invalidated: false, outcome });
        Some((since, ids, sender))
    }

    fn finish(&self, answer: Option<&Answer>) {
        let OwnershipCache { max_staleness, capacity, .. } = self.cache;
        let mut state = self.cache.state();
        let Some(slot) = state.slot(&self.owner, &self.scopes) else { return };
        let in_flight = slot.queries.as_mut().and_then(|queries| queries.in_flight.take());
        let Some(answer) = answer else { return };
        let cached = slot.cached.take();
        state.cached_ids -= cached.as_ref().map_or(0, |cached| cached.owned.len());
        state.lists = answer.listed;
        let invalidated = in_flight.is_none_or(|in_flight| in_flight.invalidated);
        let merged = answer.merge_into(cached, invalidated, max_staleness);
        if let Some(ids) = merged.filter(|ids| ids.owned.len() <= capacity.ids) {
            state.insert(&self.owner, &self.scopes, ids, capacity);
        }
    }
}

impl Drop for QueryTask {
    /// After a panic or at the end of the runtime, drops the senders, so waiting callers get an error.
    fn drop(&mut self) {
        if !self.ended {
            self.cache.state().end_queries(&self.owner, &self.scopes);
        }
    }
}

impl State {
    fn slot(&mut self, owner: &Owner, scopes: &Scopes) -> Option<&mut Slot> {
        self.owners.get_mut(owner)?.get_mut(scopes)
    }

    fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.owners.values_mut().flat_map(HashMap::values_mut)
    }

    fn has_all(
        &mut self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        max_age: Duration,
    ) -> bool {
        let cached = self.slot(owner, scopes).and_then(|slot| slot.cached.as_ref());
        cached.is_some_and(|cached| {
            cached.since.elapsed() < max_age && ids.iter().all(|id| cached.owned.contains(id))
        })
    }

    /// Caches ids. If that exceeds the capacity, all others are evicted.
    fn insert(&mut self, owner: &Owner, scopes: &Scopes, ids: CachedIds, capacity: Capacity) {
        let count = ids.owned.len();
        if self.cached_ids + count > capacity.ids || self.owners.len() > capacity.owners {
            self.slots().for_each(|slot| slot.cached = None);
            self.cached_ids = 0;
            self.remove_empty_slots();
        }
        if let Some(slot) = self.slot(owner, scopes) {
            slot.cached = Some(ids);
            self.cached_ids += count;
        }
    }

    /// Drops the queries of a task that has ended, and with them their senders.
    fn end_queries(&mut self, owner: &Owner, scopes: &Scopes) {
        let Some(slots) = self.owners.get_mut(owner) else { return };
        if let Some(slot) = slots.get_mut(scopes) {
            slot.queries = None;
            if slot.cached.is_none() {
                slots.remove(scopes);
            }
        }
        if slots.is_empty() {
            self.owners.remove(owner);
        }
    }

    fn remove_empty_slots(&mut self) {
        self.owners.retain(|_, slots| {
            slots.retain(|_, slot| slot.cached.is_some() || slot.queries.is_some());
            !slots.is_empty()
        });
    }

    /// Invalidates the queries in flight that a change may contradict, and removes a deleted id.
    fn invalidate(&mut self, change: &Change) {
        match change {
            Change::Upload(owner) => {
                let slots = self.owners.get_mut(owner).into_iter().flatten();
                slots.for_each(|(_, slot)| slot.invalidate());
            }
            Change::Deletion(id) => {
                let mut removed = 0;
                for slot in self.slots() {
                    slot.invalidate();
                    if let Some(cached) = &mut slot.cached
                        && cached.owned.contains(id)
                    {
                        Arc::make_mut(&mut cached.owned).remove(id);
                        removed += 1;
                        if cached.owned.is_empty() {
                            slot.cached = None;
                        }
                    }
                }
                self.cached_ids -= removed;
                self.remove_empty_slots();
            }
        }
    }
}

impl Slot {
    fn invalidate(&mut self) {
        if let Some(Queries { in_flight: Some(in_flight), .. }) = &mut self.queries {
            in_flight.invalidated = true;
        }
    }
}

/// Invalidates answers when an upload or a deletion starts, and again when it ends or is cancelled.
#[must_use = "a change that has not ended must keep its guard"]
pub(in crate::remote) struct ChangeGuard {
    cache: OwnershipCache,
    change: Change,
}

enum Change {
    /// Affects the answers of this owner only.
    Upload(Owner),
    /// Affects all owners, because the service deletes the media for all of them.
    Deletion(MediaId),
}

impl ChangeGuard {
    fn new(cache: &OwnershipCache, change: Change) -> Self {
        cache.state().invalidate(&change);
        Self { cache: cache.clone(), change }
    }
}

impl Drop for ChangeGuard {
    /// Queries that started during the change may have seen the state before or after it.
    fn drop(&mut self) {
        self.cache.state().invalidate(&self.change);
    }
}

#[cfg(test)]
#[path = "model.rs"]
mod model;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
