//! Any interleaving of checks, answers, changes and time, against what was true when.

use std::collections::VecDeque;

use proptest::{collection::vec, prelude::*};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::*;
use crate::error::ErrorKind;

const OWNERS: usize = 2;
const IDS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Check {
        owner: usize,
        ids: Vec<usize>,
        fresh: bool,
    },
    GiveUp(usize),
    /// Answers the oldest open call, by what was true when it was made or by what is true now.
    Answer {
        late: bool,
        kind: Kind,
    },
    /// Somebody else's change, that nobody here hears of.
    Elsewhere {
        owner: usize,
        id: usize,
        owned: bool,
    },
    BeginUpload {
        owner: usize,
        id: usize,
    },
    BeginRemoval(usize),
    /// The service does what the oldest change asks for.
    Apply,
    /// The oldest change is over.
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
            .prop_map(|(owner, ids, fresh)| Step::Check { owner, ids, fresh }),
        1 => (0..20_usize).prop_map(Step::GiveUp),
        6 => (any::<bool>(), kind).prop_map(|(late, kind)| Step::Answer { late, kind }),
        2 => (0..OWNERS, 0..IDS, any::<bool>())
            .prop_map(|(owner, id, owned)| Step::Elsewhere { owner, id, owned }),
        1 => (0..OWNERS, 0..IDS).prop_map(|(owner, id)| Step::BeginUpload { owner, id }),
        1 => (0..IDS).prop_map(Step::BeginRemoval),
        2 => Just(Step::Apply),
        2 => Just(Step::EndChange),
        2 => (1..8_u64).prop_map(Step::Wait),
    ];
    vec(step, 1..60)
}

type Owned = [[bool; IDS]; OWNERS];

/// What was true from a moment on.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    owned: Owned,
}

struct Check {
    owner: usize,
    ids: Vec<usize>,
    fresh: bool,
    begun: usize,
    at: Instant,
    /// Moments of changes through this process that were over when it began.
    removed: [usize; IDS],
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
    Removal(usize),
}

struct World {
    cache: OwnershipCache,
    max_staleness: Duration,
    ask: Arc<QueryFn>,
    asked: mpsc::UnboundedReceiver<(Owner, Vec<MediaId>, oneshot::Sender<Result<QueryResult>>)>,
    history: Vec<Moment>,
    calls: VecDeque<Call>,
    checks: Vec<Check>,
    changes: VecDeque<(Changing, ChangeGuard)>,
    removed: [usize; IDS],
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
        let (calls, asked) = mpsc::unbounded_channel();
        let ask: Arc<QueryFn> = Arc::new(move |owner, _, ids| {
            let (answer, answered) = oneshot::channel();
            let _ = calls.send((owner, ids, answer));
            Box::pin(async move { answered.await.expect("injected panic") })
        });
        Self {
            cache: OwnershipCache::new(max_staleness),
            max_staleness,
            ask,
            asked,
            history: vec![Moment { at: Instant::now(), owned: [[true; IDS]; OWNERS] }],
            calls: VecDeque::new(),
            checks: Vec::new(),
            changes: VecDeque::new(),
            removed: [0; IDS],
            uploaded: [[0; IDS]; OWNERS],
        }
    }

    fn now(&self) -> Owned {
        self.history[self.history.len() - 1].owned
    }

    async fn take(&mut self, step: Step) {
        let mut owned = self.now();
        match step {
            Step::Check { owner: who, ids, fresh } => {
                let (cache, ask) = (self.cache.clone(), Arc::clone(&self.ask));
                let asked: Vec<MediaId> = ids.iter().map(|n| id(*n)).collect();
                let task = tokio::spawn(async move {
                    cache.owned(&owner(who), &Scopes::any(), &asked, fresh, &ask).await
                });
                self.checks.push(Check {
                    owner: who,
                    ids,
                    fresh,
                    begun: self.history.len() - 1,
                    at: Instant::now(),
                    removed: self.removed,
                    uploaded: self.uploaded[who],
                    task,
                });
            }
            Step::GiveUp(n) => {
                if n < self.checks.len() {
                    self.checks.swap_remove(n).task.abort();
                }
            }
            Step::Answer { late, kind } => {
                if let Some(call) = self.calls.pop_front() {
                    let owned = if late { self.now() } else { call.owned }[call.owner];
                    let all = (0..IDS).filter(|n| owned[*n]).map(id);
                    let asked = |id: &MediaId| call.ids.contains(id);
                    let say = |owned, complete, listed| {
                        Ok(QueryResult { owned, complete, listed, undecided: None })
                    };
                    let answer = match kind {
                        Kind::Owned => say(all.filter(asked).collect(), false, false),
                        Kind::List => say(all.collect(), true, true),
                        // It may stop early only if it has found all that it was asked about.
                        Kind::CutList
                            if call.ids.iter().all(|id| all.clone().any(|o| o == *id)) =>
                        {
                            say(all.filter(asked).collect(), false, true)
                        }
                        Kind::CutList => say(all.collect(), true, true),
                        Kind::Error => Err(Error::new(ErrorKind::Unavailable, "down")),
                        // The question panics if nobody will answer it.
                        Kind::Panic => {
                            drop(call.answer);
                            return self.settle(self.now()).await;
                        }
                    };
                    let _ = call.answer.send(answer);
                }
            }
            Step::Elsewhere { owner, id, owned: yes } => owned[owner][id] = yes,
            Step::BeginUpload { owner: who, id } => {
                let change = self.cache.upload_guard(&owner(who));
                self.changes.push_back((Changing::Upload { owner: who, id }, change));
            }
            Step::BeginRemoval(n) => {
                self.changes.push_back((Changing::Removal(n), self.cache.deletion_guard(&id(n))));
            }
            Step::Apply => match self.changes.front() {
                Some((Changing::Upload { owner, id }, _)) => owned[*owner][*id] = true,
                Some((Changing::Removal(id), _)) => owned.iter_mut().for_each(|o| o[*id] = false),
                None => {}
            },
            Step::EndChange => {
                if let Some((what, change)) = self.changes.pop_front() {
                    // The service has done it at the latest now.
                    let end = self.history.len();
                    match what {
                        Changing::Upload { owner, id } => {
                            owned[owner][id] = true;
                            self.uploaded[owner][id] = end;
                        }
                        Changing::Removal(id) => {
                            owned.iter_mut().for_each(|o| o[id] = false);
                            self.removed[id] = end;
                        }
                    }
                    drop(change);
                }
            }
            Step::Wait(seconds) => tokio::time::advance(Duration::from_secs(seconds)).await,
        }
        self.settle(owned).await;
    }

    /// Lets all go on as far as it can, and looks at what came of it.
    async fn settle(&mut self, owned: Owned) {
        self.history.push(Moment { at: Instant::now(), owned });
        settle().await;
        while let Ok((who, ids, answer)) = self.asked.try_recv() {
            let owner = (0..OWNERS).find(|n| owner(*n) == who).expect("one of the owners");
            self.calls.push_back(Call { owner, ids, owned: self.now(), answer });
        }
        self.judge().await;
    }

    /// Looks at all checks that are over.
    async fn judge(&mut self) {
        for n in (0..self.checks.len()).rev() {
            if !self.checks[n].task.is_finished() {
                continue;
            }
            let check = self.checks.swap_remove(n);
            let (owner, begun) = (check.owner, check.begun);
            let age = if check.fresh { Duration::ZERO } else { self.max_staleness };
            // The first moment that an answer may be of: one that lasted until it was young enough.
            let first = (1..=begun)
                .find(|next| self.history[*next].at + age > check.at)
                .map_or(begun, |next| next - 1);
            let Ok(owned) = check.task.await.expect("no panic") else { continue };
            for n in check.ids {
                let yes = owned.contains(&id(n));
                let since = if yes { check.removed[n] } else { check.uploaded[n] };
                let first = if age.is_zero() { begun } else { first.max(since) };
                let was = self.history[first..].iter().any(|moment| moment.owned[owner][n] == yes);
                assert!(was, "id {n} of owner {owner} is said to be owned: {yes}");
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
        // Nothing is stuck: as many answers as there are calls end it all.
        while !world.calls.is_empty() {
            world.take(Step::Answer { late: true, kind: Kind::Owned }).await;
        }
        assert!(world.checks.is_empty(), "a check is stuck");
        let state = world.cache.state();
        let mut lines = state.owners.values().flat_map(HashMap::values);
        assert!(lines.all(|slot| slot.queries.is_none() && slot.cached.is_some()));
        let known =
            state.owners.values().flat_map(HashMap::values).filter_map(|slot| slot.cached.as_ref());
        assert_eq!(state.cached_ids, known.map(|known| known.owned.len()).sum::<usize>());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn g12_no_interleaving_says_what_was_not_true_recently(
        max_staleness in prop_oneof![Just(0), Just(5)],
        steps in steps(),
    ) {
        run(max_staleness, steps);
    }
}
