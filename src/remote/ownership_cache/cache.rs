//! A TTL cache of positive ownership answers, with single-flight batches.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use super::Answer;
use super::answer::{Failure, Outcome, Said, outcome};
use crate::remote::observe;
use crate::{
    error::{Error, Result},
    id::MediaId,
    owner::{Owner, Scopes},
};

/// Asks the server about one owner, some scopes, and these ids at least.
pub(crate) type Ask =
    dyn Fn(Owner, Scopes, Vec<MediaId>) -> BoxFuture<'static, Result<Answer>> + Send + Sync;

/// All questions of one backend. Clones share them.
#[derive(Clone)]
pub(crate) struct Questions {
    shared: Arc<Mutex<State>>,
    max_staleness: Duration,
    bounds: Bounds,
}

/// The most that is remembered.
#[derive(Clone, Copy)]
struct Bounds {
    owners: usize,
    ids: usize,
}

impl Default for Bounds {
    /// Some 100 MB at the most.
    fn default() -> Self {
        Self { owners: 10_000, ids: 1_000_000 }
    }
}

#[derive(Default)]
struct State {
    owners: HashMap<Owner, HashMap<Scopes, Line>>,
    /// How many ids are remembered.
    remembered: usize,
    /// Whether the server's last answer was a list, so that the answer of a question that is under way
    /// is likely to tell of ids that it was not asked about.
    lists: bool,
}

/// The questions and answers about one owner in some scopes. There is none in which there is nothing.
#[derive(Default)]
struct Line {
    known: Option<Known>,
    /// There as long as a task is asking.
    asking: Option<Asking>,
}

/// Positive answers, all of them as old as the oldest.
pub(super) struct Known {
    pub(super) since: Instant,
    pub(super) owned: Arc<HashSet<MediaId>>,
}

#[derive(Default)]
struct Asking {
    running: Option<Running>,
    waiting: Option<Batch>,
}

/// A question that is under way.
struct Running {
    since: Instant,
    asked: Arc<HashSet<MediaId>>,
    /// Whether an upload or a removal began or ended meanwhile: the answer may be from before it, so it
    /// is not for those who come after.
    overtaken: bool,
    done: watch::Receiver<Option<Outcome>>,
}

/// A question that has not begun.
#[derive(Default)]
struct Batch {
    ids: HashSet<MediaId>,
    tell: watch::Sender<Option<Outcome>>,
}

impl Questions {
    pub(crate) fn new(max_staleness: Duration) -> Self {
        Self { shared: Arc::default(), max_staleness, bounds: Bounds::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns which of `ids` are owned, by what is remembered unless `fresh`, or else by a question
    /// that is shared with everybody who asks about the same owner and scopes at the same time.
    pub(crate) async fn owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        fresh: bool,
        ask: &Arc<Ask>,
    ) -> Result<Vec<MediaId>> {
        let mut max_age = if fresh { Duration::ZERO } else { self.max_staleness };
        if ids.is_empty() || self.state().knows_all(owner, scopes, ids, max_age) {
            observe::remembered();
            return Ok(ids.to_vec());
        }
        observe::waited();
        loop {
            let said = match outcome(self.join(owner, scopes, ids, max_age, ask)).await? {
                Ok(said) => said,
                // One that cannot be asked about is for whoever asked about it.
                Err(failure) if failure.is_for_others(ids) => {
                    let answer = ask(owner.clone(), scopes.clone(), ids.to_vec()).await?;
                    return answer.among(ids);
                }
                Err(failure) => return Err(Error::shared(Arc::clone(&failure.error))),
            };
            if let Some(error) = &said.unsettled
                && ids.iter().any(|id| !said.owned.contains(id) && said.asked.contains(id))
            {
                return Err(Error::shared(Arc::clone(error)));
            }
            if ids.iter().all(|id| said.covers(id)) {
                return Ok(ids.iter().filter(|id| said.owned.contains(*id)).cloned().collect());
            }
            // It was somebody else's question and stopped before it came to these ids. One that has
            // not begun takes them in.
            max_age = Duration::ZERO;
        }
    }

    /// Joins the question that is under way, if it will tell and began less than `max_age` ago, or
    /// else the next one.
    fn join(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        max_age: Duration,
        ask: &Arc<Ask>,
    ) -> watch::Receiver<Option<Outcome>> {
        let mut state = self.state();
        let lists = state.lists;
        let line = state.owners.entry(owner.clone()).or_default().entry(scopes.clone());
        let line = line.or_default();
        let idle = line.asking.is_none();
        let asking = line.asking.get_or_insert_default();
        if let Some(running) = &asking.running
            && !running.overtaken
            && running.since.elapsed() < max_age
            && (lists || ids.iter().all(|id| running.asked.contains(id)))
        {
            return running.done.clone();
        }
        let next = asking.waiting.get_or_insert_default();
        next.ids.extend(ids.iter().cloned());
        let done = next.tell.subscribe();
        // A task that cannot be spawned is dropped at once, and then takes the lock itself.
        drop(state);
        if idle {
            let (questions, owner, scopes) = (self.clone(), owner.clone(), scopes.clone());
            let task = Task { questions, owner, scopes, ended: false };
            tokio::spawn(task.run(Arc::clone(ask)));
        }
        done
    }

    /// Notes that this owner uploads something. Its end is noted when what is returned is dropped.
    #[must_use]
    pub(crate) fn uploading(&self, owner: &Owner) -> Change {
        Change::begin(self, What::Upload(owner.clone()))
    }

    /// Notes that this is being removed, from everybody who has it. Its end is noted when what is
    /// returned is dropped.
    #[must_use]
    pub(crate) fn removing(&self, id: &MediaId) -> Change {
        Change::begin(self, What::Removal(id.clone()))
    }
}

/// Asks one question after the other until nobody waits. On a task of its own: those who wait may give
/// up, the first of them included, and the others still get their answer.
struct Task {
    questions: Questions,
    owner: Owner,
    scopes: Scopes,
    ended: bool,
}

impl Task {
    async fn run(mut self, ask: Arc<Ask>) {
        while let Some((since, asked, tell)) = self.begin() {
            let ids = asked.iter().cloned().collect();
            observe::asked();
            let outcome = match ask(self.owner.clone(), self.scopes.clone(), ids).await {
                Ok(Answer { owned, complete, listed, unsettled }) => {
                    let (owned, unsettled) = (Arc::new(owned), unsettled.map(Arc::new));
                    Ok(Arc::new(Said { since, asked, owned, complete, listed, unsettled }))
                }
                Err(error) => Err(Arc::new(Failure { error: Arc::new(error), asked })),
            };
            self.end(outcome.as_deref().ok());
            // Nobody may be left to hear it.
            tell.send_replace(Some(outcome));
        }
    }

    /// Begins the question that has gathered, unless nobody waits for it any more.
    #[expect(clippy::type_complexity, reason = "a batch taken apart")]
    fn begin(
        &mut self,
    ) -> Option<(Instant, Arc<HashSet<MediaId>>, watch::Sender<Option<Outcome>>)> {
        let mut state = self.questions.state();
        let asking = state.line(&self.owner, &self.scopes)?.asking.as_mut()?;
        let waited_for = asking.waiting.take().filter(|batch| batch.tell.receiver_count() > 0);
        let Some(Batch { ids, tell }) = waited_for else {
            self.ended = true;
            state.leave(&self.owner, &self.scopes);
            return None;
        };
        let (since, asked) = (Instant::now(), Arc::new(ids));
        let (asked_too, done) = (Arc::clone(&asked), tell.subscribe());
        asking.running = Some(Running { since, asked: asked_too, overtaken: false, done });
        Some((since, asked, tell))
    }

    fn end(&self, said: Option<&Said>) {
        let Questions { max_staleness, bounds, .. } = self.questions;
        let mut state = self.questions.state();
        let Some(line) = state.line(&self.owner, &self.scopes) else { return };
        let running = line.asking.as_mut().and_then(|asking| asking.running.take());
        let Some(said) = said else { return };
        let before = line.known.take();
        state.remembered -= before.as_ref().map_or(0, |known| known.owned.len());
        state.lists = said.listed;
        // An answer that was overtaken may still say that something is no longer owned.
        let adds = running.is_some_and(|running| !running.overtaken);
        let known = said.added_to(before, adds, max_staleness);
        if let Some(known) = known.filter(|known| known.owned.len() <= bounds.ids) {
            state.remember(&self.owner, &self.scopes, known, bounds);
        }
    }
}

impl Drop for Task {
    /// A panic, or the end of the runtime: those who wait are told that nobody will answer.
    fn drop(&mut self) {
        if !self.ended {
            self.questions.state().leave(&self.owner, &self.scopes);
        }
    }
}

impl State {
    fn line(&mut self, owner: &Owner, scopes: &Scopes) -> Option<&mut Line> {
        self.owners.get_mut(owner)?.get_mut(scopes)
    }

    fn knows_all(
        &mut self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
        max_age: Duration,
    ) -> bool {
        let known = self.line(owner, scopes).and_then(|line| line.known.as_ref());
        known.is_some_and(|known| {
            known.since.elapsed() < max_age && ids.iter().all(|id| known.owned.contains(id))
        })
    }

    /// Remembers what is known. If it is too much together with the rest, the rest is forgotten.
    fn remember(&mut self, owner: &Owner, scopes: &Scopes, known: Known, bounds: Bounds) {
        if self.remembered + known.owned.len() > bounds.ids || self.owners.len() > bounds.owners {
            self.owners
                .values_mut()
                .flat_map(HashMap::values_mut)
                .for_each(|line| line.known = None);
            self.remembered = 0;
            self.tidy();
        }
        if let Some(line) = self.line(owner, scopes) {
            let count = known.owned.len();
            line.known = Some(known);
            self.remembered += count;
        }
    }

    /// Takes away what a task was asking, and with it those who tell.
    fn leave(&mut self, owner: &Owner, scopes: &Scopes) {
        let Some(lines) = self.owners.get_mut(owner) else { return };
        if let Some(line) = lines.get_mut(scopes) {
            line.asking = None;
            if line.known.is_none() {
                lines.remove(scopes);
            }
        }
        if lines.is_empty() {
            self.owners.remove(owner);
        }
    }

    fn tidy(&mut self) {
        self.owners.retain(|_, lines| {
            lines.retain(|_, line| line.known.is_some() || line.asking.is_some());
            !lines.is_empty()
        });
    }

    /// Makes what was asked before useless for those who come from now on.
    fn overtake(&mut self, what: &What) {
        match what {
            What::Upload(owner) => {
                self.owners
                    .get_mut(owner)
                    .into_iter()
                    .flatten()
                    .for_each(|(_, line)| line.overtake());
            }
            What::Removal(id) => {
                for line in self.owners.values_mut().flat_map(HashMap::values_mut) {
                    line.overtake();
                    if let Some(known) = &mut line.known
                        && known.owned.contains(id)
                    {
                        Arc::make_mut(&mut known.owned).remove(id);
                        self.remembered -= 1;
                        if known.owned.is_empty() {
                            line.known = None;
                        }
                    }
                }
                self.tidy();
            }
        }
    }
}

impl Line {
    fn overtake(&mut self) {
        if let Some(Asking { running: Some(running), .. }) = &mut self.asking {
            running.overtaken = true;
        }
    }
}

/// An upload or a removal under way.
pub(crate) struct Change {
    questions: Questions,
    what: What,
}

enum What {
    /// Of the owner's, to whom nobody else's matters.
    Upload(Owner),
    /// From everybody who has it: that is what the service does.
    Removal(MediaId),
}

impl Change {
    fn begin(questions: &Questions, what: What) -> Self {
        questions.state().overtake(&what);
        Self { questions: questions.clone(), what }
    }
}

impl Drop for Change {
    /// At the end once more: what was asked in between may be from before or from after.
    fn drop(&mut self) {
        self.questions.state().overtake(&self.what);
    }
}

#[cfg(test)]
#[path = "model.rs"]
mod model;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
