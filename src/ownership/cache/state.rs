//! The cached ids, the queries in flight, and their invalidation.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use super::answer::{CachedIds, Outcome};
use crate::{
    id::MediaId,
    owner::{Owner, Scopes},
};

/// The data that all clones of a cache and its query tasks share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) max_staleness: Duration,
    pub(super) capacity: Capacity,
}

/// The most that is cached.
#[derive(Clone, Copy)]
pub(super) struct Capacity {
    pub(super) owners: usize,
    pub(super) ids: usize,
}

impl Default for Capacity {
    /// About 100 MB.
    fn default() -> Self {
        Self { owners: 10_000, ids: 1_000_000 }
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) owners: HashMap<Owner, HashMap<Scopes, Slot>>,
    /// The number of cached ids.
    pub(super) cached_ids: usize,
    /// `true` if the last answer was a list, so the query in flight will probably answer for ids that are
    /// not in it.
    pub(super) lists: bool,
}

/// The cached ids and the queries of one owner in some scopes. Empty slots are removed.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) cached: Option<CachedIds>,
    /// Present while a [`QueryTask`] runs.
    pub(super) queries: Option<Queries>,
}

#[derive(Default)]
pub(super) struct Queries {
    pub(super) in_flight: Option<InFlight>,
    pub(super) next: Option<Batch>,
}

/// The query in flight.
pub(super) struct InFlight {
    pub(super) since: Instant,
    pub(super) queried: Arc<HashSet<MediaId>>,
    /// `true` if an upload or a deletion started or ended since the query started. The answer may predate it, so later
    /// callers do not use the answer.
    pub(super) invalidated: bool,
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
}

/// The ids of the next query.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) ids: HashSet<MediaId>,
    pub(super) outcome: watch::Sender<Option<Outcome>>,
}

impl State {
    pub(super) fn slot(&mut self, owner: &Owner, scopes: &Scopes) -> Option<&mut Slot> {
        self.owners.get_mut(owner)?.get_mut(scopes)
    }

    pub(super) fn slots(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.owners.values_mut().flat_map(HashMap::values_mut)
    }

    pub(super) fn has_all(
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
    pub(super) fn insert(
        &mut self,
        owner: &Owner,
        scopes: &Scopes,
        ids: CachedIds,
        capacity: Capacity,
    ) {
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
    pub(super) fn end_queries(&mut self, owner: &Owner, scopes: &Scopes) {
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

    pub(super) fn remove_empty_slots(&mut self) {
        self.owners.retain(|_, slots| {
            slots.retain(|_, slot| slot.cached.is_some() || slot.queries.is_some());
            !slots.is_empty()
        });
    }

    /// Invalidates the queries in flight that a change may contradict, and removes a deleted id.
    pub(super) fn invalidate(&mut self, change: &Change) {
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
pub(crate) struct ChangeGuard {
    shared: Arc<Shared>,
    change: Change,
}

pub(super) enum Change {
    /// Affects the answers of this owner only.
    Upload(Owner),
    /// Affects all owners, because a deletion may affect all of them.
    Deletion(MediaId),
}

impl ChangeGuard {
    pub(super) fn new(shared: &Arc<Shared>, change: Change) -> Self {
        shared.state.lock().invalidate(&change);
        Self { shared: Arc::clone(shared), change }
    }
}

impl Drop for ChangeGuard {
    /// Queries that started during the change may have seen the state before or after it.
    fn drop(&mut self) {
        self.shared.state.lock().invalidate(&self.change);
    }
}
