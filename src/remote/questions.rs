//! Questions about ownership: asked once for all who wait, and answers remembered for a moment (G12).
//!
//! What is remembered is positive, complete, and younger than the staleness allowed. Each owner's
//! questions form a line of two: one that is under way, and one that gathers the ids of all who came
//! after it began and cannot use its answer.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    owner::{Owner, Scopes},
};

/// The most owners about whom something is remembered.
const MAX_OWNERS: usize = 10_000;

/// The most ids that are remembered in all: some 100 MB of them.
const MAX_IDS: usize = 1_000_000;

/// What a server said about one owner in some scopes.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// What is owned.
    pub(super) owned: HashSet<MediaId>,
    /// Whether what is not in `owned` is not owned, whatever was asked.
    pub(super) complete: bool,
}

/// Asks the server about one owner, some scopes, and these ids at least.
pub(super) type Ask =
    dyn Fn(Owner, Scopes, Vec<MediaId>) -> BoxFuture<'static, Result<Answer>> + Send + Sync;

/// All questions of one backend.
#[derive(Clone)]
pub(super) struct Questions {
    shared: Arc<Mutex<State>>,
    max_staleness: Duration,
}

#[derive(Default)]
struct State {
    owners: HashMap<Owner, Line>,
    remembered: usize,
}

/// One owner's questions and answers.
#[derive(Default)]
struct Line {
    /// Grows with each upload and removal, at its begin and at its end: an answer from before is not
    /// for those who come after.
    generation: u64,
    /// Uploads and removals under way.
    changes: usize,
    known: HashMap<Scopes, Known>,
    asking: HashMap<Scopes, Pair>,
}

/// Positive answers, all of them as old as the oldest.
struct Known {
    since: Instant,
    owned: Arc<HashSet<MediaId>>,
}

/// A question under way, and the one that gathers behind it.
struct Pair {
    running: Batch,
    waiting: Option<Batch>,
}

struct Batch {
    generation: u64,
    ids: HashSet<MediaId>,
    // Kept to make more receivers of.
    done: watch::Receiver<Option<Outcome>>,
    tell: Option<watch::Sender<Option<Outcome>>>,
}

type Outcome = std::result::Result<Arc<Said>, Arc<Error>>;

/// An answer, and about what.
struct Said {
    answer: Answer,
    asked: HashSet<MediaId>,
}

impl Said {
    fn covers(&self, id: &MediaId) -> bool {
        self.answer.complete || self.asked.contains(id) || self.answer.owned.contains(id)
    }
}

impl Questions {
    pub(super) fn new(max_staleness: Duration) -> Self {
        Self { shared: Arc::default(), max_staleness }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns which of `ids` are owned, by what is remembered unless `fresh`, or else by a question
    /// that is shared with everybody who asks about the same owner and scopes at the same time.
    pub(super) async fn owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        fresh: bool,
        ask: &Arc<Ask>,
    ) -> Result<Vec<MediaId>> {
        if !fresh && self.state().knows_all(owner, scopes, ids, self.max_staleness) {
            return Ok(ids.to_vec());
        }
        let mut joinable = !fresh;
        loop {
            let mut done = self.join(owner, scopes, ids, joinable, ask);
            let outcome = done.wait_for(Option::is_some).await.map_err(|_| {
                Error::new(ErrorKind::Internal, "the question about ownership was abandoned")
            })?;
            let said = match outcome.as_ref().expect("it was waited for") {
                Ok(said) => said,
                Err(error) => return Err(Error::shared(Arc::clone(error))),
            };
            if ids.iter().all(|id| said.covers(id)) {
                return Ok(ids
                    .iter()
                    .filter(|id| said.answer.owned.contains(*id))
                    .cloned()
                    .collect());
            }
            // It was somebody else's question and stopped before it came to these ids. The next one
            // has them.
            joinable = false;
        }
    }

    /// Joins a question that will tell, or starts one.
    fn join(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        joinable: bool,
        ask: &Arc<Ask>,
    ) -> watch::Receiver<Option<Outcome>> {
        let mut state = self.state();
        let line = state.owners.entry(owner.clone()).or_default();
        let generation = line.generation;
        let Some(pair) = line.asking.get_mut(scopes) else {
            let batch = Batch::new(generation, ids);
            let done = batch.done.clone();
            line.asking.insert(scopes.clone(), Pair { running: batch, waiting: None });
            let run = self.clone().run(owner.clone(), scopes.clone(), Arc::clone(ask));
            tokio::spawn(run);
            return done;
        };
        if joinable && pair.running.generation == generation {
            return pair.running.done.clone();
        }
        let waiting = pair.waiting.get_or_insert_with(|| Batch::new(generation, &[]));
        waiting.ids.extend(ids.iter().cloned());
        waiting.done.clone()
    }

    /// Asks one question after the other until nobody waits. On a task of its own: those who wait may
    /// give up, the first of them included, and the others still get their answer.
    async fn run(self, owner: Owner, scopes: Scopes, ask: Arc<Ask>) {
        let _cleared =
            Cleared { questions: self.clone(), owner: owner.clone(), scopes: scopes.clone() };
        loop {
            let Some((generation, ids, tell)) = self.begin(&owner, &scopes) else { return };
            let asked = ids.iter().cloned().collect();
            let outcome = match ask(owner.clone(), scopes.clone(), asked).await {
                Ok(answer) => Ok(Arc::new(Said { answer, asked: ids })),
                Err(error) => Err(Arc::new(error)),
            };
            let more = self.end(&owner, &scopes, generation, &outcome);
            // Nobody may be left to hear it.
            tell.send_replace(Some(outcome));
            if !more {
                return;
            }
        }
    }

    /// Takes up the running question as it stands now.
    fn begin(
        &self,
        owner: &Owner,
        scopes: &Scopes,
    ) -> Option<(u64, HashSet<MediaId>, watch::Sender<Option<Outcome>>)> {
        let mut state = self.state();
        let line = state.owners.get_mut(owner)?;
        let running = &mut line.asking.get_mut(scopes)?.running;
        running.generation = line.generation;
        Some((line.generation, running.ids.clone(), running.tell.take()?))
    }

    /// Remembers an answer that nothing has overtaken, and makes the waiting question the running
    /// one. Returns whether there is one.
    fn end(&self, owner: &Owner, scopes: &Scopes, generation: u64, outcome: &Outcome) -> bool {
        let mut state = self.state();
        let Some(line) = state.owners.get_mut(owner) else { return false };
        let more = match line.asking.remove(scopes).and_then(|pair| pair.waiting) {
            Some(waiting) => {
                line.asking.insert(scopes.clone(), Pair { running: waiting, waiting: None });
                true
            }
            None => false,
        };
        let overtaken = line.generation != generation || line.changes > 0;
        match outcome {
            Ok(said) if !overtaken && !self.max_staleness.is_zero() => {
                state.remember(owner, scopes, said, self.max_staleness);
            }
            _ => state.tidy(owner),
        }
        more
    }

    /// Notes that an upload or a removal of this owner begins. What is remembered is forgotten, and
    /// no answer that overlaps it will be remembered; its end is noted when the guard is dropped.
    #[must_use]
    pub(super) fn change(&self, owner: &Owner) -> Change {
        let mut state = self.state();
        let line = state.owners.entry(owner.clone()).or_default();
        line.changes += 1;
        state.overtake(owner);
        Change { questions: self.clone(), owner: owner.clone() }
    }
}

impl Batch {
    fn new(generation: u64, ids: &[MediaId]) -> Self {
        let (tell, done) = watch::channel(None);
        Self { generation, ids: ids.iter().cloned().collect(), done, tell: Some(tell) }
    }
}

impl State {
    fn knows_all(
        &mut self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        max_staleness: Duration,
    ) -> bool {
        let known = self.owners.get(owner).and_then(|line| line.known.get(scopes));
        known.is_some_and(|known| {
            known.since.elapsed() < max_staleness && ids.iter().all(|id| known.owned.contains(id))
        })
    }

    fn remember(&mut self, owner: &Owner, scopes: &Scopes, said: &Arc<Said>, max: Duration) {
        let now = Instant::now();
        let line = self.owners.get_mut(owner).expect("it has just been asked about");
        let before = line.known.remove(scopes);
        self.remembered -= before.as_ref().map_or(0, |known| known.owned.len());
        let mut owned = said.answer.owned.clone();
        let mut since = now;
        if let Some(before) =
            before.filter(|known| !said.answer.complete && known.since.elapsed() < max)
        {
            // What is remembered together is as old as the oldest of it.
            owned.extend(before.owned.iter().cloned());
            since = before.since;
        }
        if self.remembered + owned.len() > MAX_IDS || self.owners.len() > MAX_OWNERS {
            self.forget_all();
        }
        self.remembered += owned.len();
        let known = Known { since, owned: Arc::new(owned) };
        if let Some(line) = self.owners.get_mut(owner) {
            line.known.insert(scopes.clone(), known);
        }
    }

    fn forget_all(&mut self) {
        for line in self.owners.values_mut() {
            line.known.clear();
        }
        self.remembered = 0;
        self.owners.retain(|_, line| !line.is_idle());
    }

    /// Makes all that was asked before now useless for those who come from now on.
    fn overtake(&mut self, owner: &Owner) {
        if let Some(line) = self.owners.get_mut(owner) {
            line.generation += 1;
            self.remembered -= line.known.values().map(|known| known.owned.len()).sum::<usize>();
            line.known.clear();
        }
    }

    /// Drops an owner about whom there is nothing to keep.
    fn tidy(&mut self, owner: &Owner) {
        if self.owners.get(owner).is_some_and(Line::is_idle) {
            self.owners.remove(owner);
        }
    }
}

impl Line {
    fn is_idle(&self) -> bool {
        self.known.is_empty() && self.asking.is_empty() && self.changes == 0
    }
}

/// An upload or a removal under way.
pub(super) struct Change {
    questions: Questions,
    owner: Owner,
}

impl Drop for Change {
    fn drop(&mut self) {
        let mut state = self.questions.state();
        state.overtake(&self.owner);
        if let Some(line) = state.owners.get_mut(&self.owner) {
            line.changes -= 1;
        }
        state.tidy(&self.owner);
    }
}

/// Takes a line of questions away if the task that asks them ends, be it in a panic: those who wait are
/// then told that nobody will answer.
struct Cleared {
    questions: Questions,
    owner: Owner,
    scopes: Scopes,
}

impl Drop for Cleared {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut state = self.questions.state();
        if let Some(line) = state.owners.get_mut(&self.owner) {
            line.asking.remove(&self.scopes);
        }
        state.tidy(&self.owner);
    }
}
