//! A model-based test: random interleavings of checks, answers, changes and time, compared with the history.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*};

use super::*;

const OWNERS: usize = 2;
const IDS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Check {
        owner: usize,
        ids: Vec<usize>,
        bypass: bool,
    },
    Cancel(usize),
    /// Answers the oldest pending call, with the state of the time of the call or with the current state.
    Answer {
        late: bool,
        kind: Kind,
    },
    /// A change by another process, without an invalidation.
    ElsewhereChange {
        owner: usize,
        id: usize,
        owned: bool,
    },
    BeginUpload {
        owner: usize,
        id: usize,
    },
    BeginDeletion(usize),
    /// The backend applies the oldest pending change.
    Apply,
    /// The oldest pending change ends.
    EndChange,
    Wait(u64),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Owned,
    List,
    CutList,
    Error,
    Panic,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop_oneof![
        4 => Just(Kind::Owned), 4 => Just(Kind::List), 2 => Just(Kind::CutList),
        1 => Just(Kind::Error), 1 => Just(Kind::Panic),
    ];
    let step = prop_oneof![
        8 => (0..OWNERS, vec(0..IDS, 1..3), prop::bool::weighted(0.2))
            .prop_map(|(owner, ids, bypass)| Step::Check { owner, ids, bypass }),
        1 => (0..20_usize).prop_map(Step::Cancel),
        6 => (any::<bool>(), kind).prop_map(|(late, kind)| Step::Answer { late, kind }),
        2 => (0..OWNERS, 0..IDS, any::<bool>())
            .prop_map(|(owner, id, owned)| Step::ElsewhereChange { owner, id, owned }),
        1 => (0..OWNERS, 0..IDS).prop_map(|(owner, id)| Step::BeginUpload { owner, id }),
        1 => (0..IDS).prop_map(Step::BeginDeletion),
        2 => Just(Step::Apply),
        2 => Just(Step::EndChange),
        2 => (1..8_u64).prop_map(Step::Wait),
    ];
    vec(step, 1..60)
}

type Owned = [[bool; IDS]; OWNERS];

/// The ownership from a time on.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    owned: Owned,
}

struct Check {
    owner: usize,
    ids: Vec<usize>,
    bypass: bool,
    started: usize,
    at: Instant,
    /// The positions in the history of the changes of this process that had ended when the check began.
    deleted: [usize; IDS],
    uploaded: [usize; IDS],
    task: JoinHandle<Result<Vec<MediaId>>>,
}

struct Call {
    owner: usize,
    ids: Vec<MediaId>,
    owned: Owned,
    answer: oneshot::Sender<Result<QueryResult>>,
}

enum Changing {
    Upload { owner: usize, id: usize },
    Deletion(usize),
}

struct World {
    cache: OwnershipCache,
    max_staleness: Duration,
    query: Arc<QueryFn>,
    sent: mpsc::UnboundedReceiver<(Owner, Vec<MediaId>, oneshot::Sender<Result<QueryResult>>)>,
    history: Vec<Moment>,
    calls: VecDeque<Call>,
    checks: Vec<Check>,
    changes: VecDeque<(Changing, ChangeGuard)>,
    deleted: [usize; IDS],
    uploaded: [[usize; IDS]; OWNERS],
}

fn owner(n: usize) -> Owner {
    Owner::new(format!("owner-{n}")).expect("a subject")
}

fn id(n: usize) -> MediaId {
    MediaId::from_trusted(format!("id-{n}")).expect("an id")
}

async fn settle() {
    for _ in 0..30 {
        tokio::task::yield_now().await;
    }
}

impl World {
    fn new(max_staleness: Duration) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let query: Arc<QueryFn> = Arc::new(move |owner, _, ids| {
            let (answer, answered) = oneshot::channel();
            let _ = sender.send((owner, ids, answer));
            Box::pin(async move { answered.await.expect("injected panic") })
        });
        Self {
            cache: OwnershipCache::new(max_staleness),
            max_staleness,
            query,
            sent: calls,
            history: vec![Moment { at: Instant::now(), owned: [[true; IDS]; OWNERS] }],
            calls: VecDeque::new(),
            checks: Vec::new(),
            changes: VecDeque::new(),
            deleted: [0; IDS],
            uploaded: [[0; IDS]; OWNERS],
        }
    }

    fn now(&self) -> Owned {
        self.history[self.history.len() - 1].owned
    }

    async fn take(&mut self, step: Step) {
        let mut owned = self.now();
        match step {
            Step::Check { owner: who, ids, bypass } => {
                let (cache, query) = (self.cache.clone(), Arc::clone(&self.query));
                let queried: Vec<MediaId> = ids.iter().map(|n| id(*n)).collect();
                let task = tokio::spawn(async move {
                    cache.owned(&owner(who), &Scopes::any(), &queried, bypass, &query).await
                });
                self.checks.push(Check {
                    owner: who,
                    ids,
                    bypass,
                    started: self.history.len() - 1,
                    at: Instant::now(),
                    deleted: self.deleted,
                    uploaded: self.uploaded[who],
                    task,
                });
            }
            Step::Cancel(n) => {
                if n < self.checks.len() {
                    self.checks.swap_remove(n).task.abort();
                }
            }
            Step::Answer { late, kind } => {
                if let Some(call) = self.calls.pop_front() {
                    let owned = if late { self.now() } else { call.owned }[call.owner];
                    let all = (0..IDS).filter(|n| owned[*n]).map(id);
                    let queried = |id: &MediaId| call.ids.contains(id);
                    let reply = |owned, complete, listed| {
                        Ok(QueryResult { owned, complete, listed, undecided: None })
                    };
                    let answer = match kind {
                        Kind::Owned => reply(all.filter(queried).collect(), false, false),
                        Kind::List => reply(all.collect(), true, true),
                        // A list may be partial only if it contains all queried ids.
                        Kind::CutList
                            if call.ids.iter().all(|id| all.clone().any(|o| o == *id)) =>
                        {
                            reply(all.filter(queried).collect(), false, true)
                        }
                        Kind::CutList => reply(all.collect(), true, true),
                        Kind::Error => Err(Error::new(ErrorKind::Unavailable, "down")),
                        // The query function panics if its sender is dropped.
                        Kind::Panic => {
                            drop(call.answer);
                            return self.settle(self.now()).await;
                        }
                    };
                    let _ = call.answer.send(answer);
                }
            }
            Step::ElsewhereChange { owner, id, owned: yes } => owned[owner][id] = yes,
            Step::BeginUpload { owner: who, id } => {
                let change = self.cache.upload_guard(&owner(who));
                self.changes.push_back((Changing::Upload { owner: who, id }, change));
            }
            Step::BeginDeletion(n) => {
                self.changes.push_back((Changing::Deletion(n), self.cache.deletion_guard(&id(n))));
            }
            Step::Apply => match self.changes.front() {
                Some((Changing::Upload { owner, id }, _)) => owned[*owner][*id] = true,
                Some((Changing::Deletion(id), _)) => owned.iter_mut().for_each(|o| o[*id] = false),
                None => {}
            },
            Step::EndChange => {
                if let Some((what, change)) = self.changes.pop_front() {
                    // The backend has applied the change by now.
                    let end = self.history.len();
                    match what {
                        Changing::Upload { owner, id } => {
                            owned[owner][id] = true;
                            self.uploaded[owner][id] = end;
                        }
                        Changing::Deletion(id) => {
                            owned.iter_mut().for_each(|o| o[id] = false);
                            self.deleted[id] = end;
                        }
                    }
                    drop(change);
                }
            }
            Step::Wait(seconds) => tokio::time::advance(Duration::from_secs(seconds)).await,
        }
        self.settle(owned).await;
    }

    /// Runs all tasks until they wait, and checks the results.
    async fn settle(&mut self, owned: Owned) {
        self.history.push(Moment { at: Instant::now(), owned });
        settle().await;
        while let Ok((who, ids, answer)) = self.sent.try_recv() {
            let owner = (0..OWNERS).find(|n| owner(*n) == who).expect("one of the owners");
            self.calls.push_back(Call { owner, ids, owned: self.now(), answer });
        }
        self.judge().await;
    }

    /// Compares the results of all checks that have ended with the history.
    async fn judge(&mut self) {
        for n in (0..self.checks.len()).rev() {
            if !self.checks[n].task.is_finished() {
                continue;
            }
            let check = self.checks.swap_remove(n);
            let (owner, started) = (check.owner, check.started);
            let age = if check.bypass { Duration::ZERO } else { self.max_staleness };
            // The earliest state that the answer may show: one that lasted until the answer was young enough.
            let first = (1..=started)
                .find(|next| self.history[*next].at + age > check.at)
                .map_or(started, |next| next - 1);
            let Ok(owned) = check.task.await.expect("no panic") else { continue };
            for n in check.ids {
                let yes = owned.contains(&id(n));
                let since = if yes { check.deleted[n] } else { check.uploaded[n] };
                let first = if age.is_zero() { started } else { first.max(since) };
                let was = self.history[first..].iter().any(|moment| moment.owned[owner][n] == yes);
                assert!(was, "wrong answer for id {n} of owner {owner}: {yes}");
            }
        }
    }
}

fn run(max_staleness: u64, steps: Vec<Step>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new(Duration::from_secs(max_staleness));
        for step in steps {
            world.take(step).await;
        }
        // Answers to all pending calls end all checks.
        while !world.calls.is_empty() {
            world.take(Step::Answer { late: true, kind: Kind::Owned }).await;
        }
        assert!(world.checks.is_empty(), "a check is stuck");
        let state = world.cache.0.state.lock();
        let mut slots = state.owners.values().flat_map(HashMap::values);
        assert!(slots.all(|slot| slot.queries.is_none() && slot.cached.is_some()));
        let cached =
            state.owners.values().flat_map(HashMap::values).filter_map(|slot| slot.cached.as_ref());
        assert_eq!(state.cached_ids, cached.map(|cached| cached.owned.len()).sum::<usize>());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn g12_answers_were_true_within_the_staleness(
        max_staleness in prop_oneof![Just(0), Just(5)],
        steps in steps(),
    ) {
        run(max_staleness, steps);
    }
}
