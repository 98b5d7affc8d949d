//! Fair queueing: a budget that several owners share in turns (promise P17).
//!
//! Start-time fair queueing, a form of deficit round robin that needs no quantum: each owner has a virtual
//! time, which advances by the cost of its work, and the next grant goes to the waiting owner that is furthest
//! behind. An owner that begins to wait starts at the virtual time of the last grant. Therefore, of `k` waiting
//! owners each gets its first grant among the next `k`, and the costs granted to two owners that keep waiting
//! never differ by more than the largest cost of each.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The bounds of a [`FairQueue`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The total cost of running work.
    pub(super) budget: u64,
    /// The cost of one owner's running work. A single work of higher cost runs alone.
    pub(super) budget_per_owner: u64,
    pub(super) max_waiting: usize,
    pub(super) max_waiting_per_owner: usize,
}

/// The reason why work is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The owner has too much work waiting.
    Owner,
    /// All owners together have too much work waiting.
    Total,
}

/// A budget with a queue for each owner. Clones share the budget.
#[derive(Debug)]
pub(super) struct FairQueue<K: Eq + Hash + Clone> {
    state: Arc<Mutex<State<K>>>,
}

#[derive(Debug)]
struct State<K> {
    bounds: Bounds,
    free: u64,
    /// The owners with running or waiting work. An idle owner is forgotten.
    owners: HashMap<K, Account>,
    waiting: usize,
    /// The virtual time: that of the owner that got the last grant.
    now: u64,
    tickets: u64,
}

#[derive(Debug)]
struct Account {
    /// The virtual time of the owner.
    start: u64,
    running: u64,
    queue: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    ticket: u64,
    cost: u64,
    granted: oneshot::Sender<()>,
}

/// Running work: a part of the budget, returned when dropped.
#[derive(Debug)]
pub(super) struct Permit<K: Eq + Hash + Clone> {
    queue: FairQueue<K>,
    owner: K,
    cost: u64,
}

/// Work that waits, or was granted and not begun. Leaves the queue when dropped.
struct Waiter<'q, K: Eq + Hash + Clone> {
    queue: &'q FairQueue<K>,
    owner: K,
    ticket: u64,
    cost: u64,
    has_begun: bool,
}

impl<K: Eq + Hash + Clone> FairQueue<K> {
    pub(super) fn new(bounds: Bounds) -> Self {
        let state = State {
            bounds,
            free: bounds.budget,
            owners: HashMap::new(),
            waiting: 0,
            now: 0,
            tickets: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a part of the budget. A higher cost than the budget counts as the whole budget.
    ///
    /// # Errors
    ///
    /// [`Full`] at once if the work would have to wait and a queue is full.
    ///
    /// # Cancellation safety
    ///
    /// If the future is dropped, its place in the queue or its part of the budget is free again.
    pub(super) async fn admit(&self, owner: &K, cost: u64) -> Result<Permit<K>, Full> {
        let (waiter, granted) = self.enqueue(owner, cost)?;
        // The queue outlives the waiter, which borrows it, so the sender is not dropped before the grant.
        let _ = granted.await;
        Ok(waiter.begin())
    }

    fn enqueue(
        &self,
        owner: &K,
        cost: u64,
    ) -> Result<(Waiter<'_, K>, oneshot::Receiver<()>), Full> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        let cost = cost.clamp(1, state.bounds.budget);
        let ticket = state.push(owner, cost, sender);
        state.dispatch();
        if let Some(full) = state.over_bounds(owner, ticket) {
            state.remove(owner, ticket);
            return Err(full);
        }
        drop(state);
        let owner = owner.clone();
        Ok((Waiter { queue: self, owner, ticket, cost, has_begun: false }, receiver))
    }
}

impl<K: Eq + Hash + Clone> State<K> {
    fn push(&mut self, owner: &K, cost: u64, granted: oneshot::Sender<()>) -> u64 {
        self.tickets += 1;
        let new = Account { start: self.now, running: 0, queue: VecDeque::new() };
        let account = self.owners.entry(owner.clone()).or_insert(new);
        account.queue.push_back(Entry { ticket: self.tickets, cost, granted });
        self.waiting += 1;
        self.tickets
    }

    /// Grants work in turn until the next one does not fit. Nothing overtakes that one.
    fn dispatch(&mut self) {
        while let Some((owner, start, cost)) = self.next()
            && cost <= self.free
        {
            let account = self.owners.get_mut(&owner).expect("a waiting owner has an account");
            let entry = account.queue.pop_front().expect("a waiting owner has an entry");
            self.waiting -= 1;
            self.now = start;
            self.free -= cost;
            account.start = start + cost;
            account.running += cost;
            // A receiver that was dropped is followed by the drop of its waiter, which returns the budget.
            let _ = entry.granted.send(());
        }
    }

    /// The owner furthest behind, with its virtual time and the cost of its next work.
    fn next(&self) -> Option<(K, u64, u64)> {
        let heads = self.owners.iter().filter_map(|(owner, account)| {
            let head = account.queue.front()?;
            let fits = account.running + head.cost <= self.bounds.budget_per_owner;
            // Time in which its own bound held the owner back does not count as credit.
            let start = account.start.max(self.now);
            (fits || account.running == 0).then_some((start, head.ticket, owner, head.cost))
        });
        let (start, _, owner, cost) = heads.min_by_key(|(start, ticket, ..)| (*start, *ticket))?;
        Some((owner.clone(), start, cost))
    }

    /// Tells which queue is too long for a new entry that waits.
    fn over_bounds(&self, owner: &K, ticket: u64) -> Option<Full> {
        let queue = &self.owners.get(owner)?.queue;
        queue.back().filter(|entry| entry.ticket == ticket)?;
        if queue.len() > self.bounds.max_waiting_per_owner {
            return Some(Full::Owner);
        }
        (self.waiting > self.bounds.max_waiting).then_some(Full::Total)
    }

    /// Removes an entry that waits, and returns whether it was there.
    fn remove(&mut self, owner: &K, ticket: u64) -> bool {
        let Some(account) = self.owners.get_mut(owner) else { return false };
        let position = account.queue.iter().position(|entry| entry.ticket == ticket);
        let Some(position) = position else { return false };
        account.queue.remove(position);
        self.waiting -= 1;
        self.forget_idle(owner);
        self.dispatch();
        true
    }

    fn release(&mut self, owner: &K, cost: u64) {
        self.free += cost;
        if let Some(account) = self.owners.get_mut(owner) {
            account.running -= cost;
        }
        self.forget_idle(owner);
        self.dispatch();
    }

    fn forget_idle(&mut self, owner: &K) {
        let account = self.owners.get(owner);
        if account.is_some_and(|account| account.running == 0 && account.queue.is_empty()) {
            self.owners.remove(owner);
        }
    }
}

impl<K: Eq + Hash + Clone> Waiter<'_, K> {
    fn begin(mut self) -> Permit<K> {
        self.has_begun = true;
        Permit { queue: self.queue.clone(), owner: self.owner.clone(), cost: self.cost }
    }
}

impl<K: Eq + Hash + Clone> Drop for Waiter<'_, K> {
    fn drop(&mut self) {
        if self.has_begun {
            return;
        }
        let mut state = self.queue.state.lock();
        if !state.remove(&self.owner, self.ticket) {
            state.release(&self.owner, self.cost);
        }
    }
}

impl<K: Eq + Hash + Clone> Permit<K> {
    /// Takes a further part of the budget for the same work, if it is free and no waiting work may have it.
    /// The bound of the owner does not count, because the part is held briefly.
    pub(super) fn try_extend(&self, cost: u64) -> Option<Self> {
        let mut state = self.queue.state.lock();
        if cost > state.free || state.next().is_some() {
            return None;
        }
        state.free -= cost;
        state.owners.get_mut(&self.owner)?.running += cost;
        Some(Self { queue: self.queue.clone(), owner: self.owner.clone(), cost })
    }
}

impl<K: Eq + Hash + Clone> Drop for Permit<K> {
    fn drop(&mut self) {
        self.queue.state.lock().release(&self.owner, self.cost);
    }
}

impl<K: Eq + Hash + Clone> Clone for FairQueue<K> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state) }
    }
}

#[cfg(test)]
#[path = "fair_queue_tests.rs"]
mod tests;
