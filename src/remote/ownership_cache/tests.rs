//! Every promise about sharing and remembering, against a server that answers when it is told to.

use futures_util::{FutureExt as _, future};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::*;
use crate::error::ErrorKind;

const AGE: Duration = Duration::from_secs(5);

/// A server whose answers the test gives, one by one.
struct Lab {
    cache: OwnershipCache,
    ask: Arc<QueryFn>,
    asked: mpsc::UnboundedReceiver<Call>,
}

struct Call {
    owner: Owner,
    scopes: Scopes,
    ids: HashSet<MediaId>,
    answer: oneshot::Sender<Result<QueryResult>>,
}

impl Call {
    /// Answers as `/owned` does: about what was asked and nothing else.
    fn owned(self, owned: &[&str]) {
        let owned = owned.iter().map(|text| id(text)).collect();
        self.say(Ok(QueryResult { owned, complete: false, listed: false, undecided: None }));
    }

    /// Answers as a list does that was read to its end.
    fn list(self, owned: &[&str]) {
        let owned = owned.iter().map(|text| id(text)).collect();
        self.say(Ok(QueryResult { owned, complete: true, listed: true, undecided: None }));
    }

    fn say(self, answer: Result<QueryResult>) {
        // The task that asked may be gone.
        let _ = self.answer.send(answer);
    }
}

type Check = JoinHandle<Result<Vec<MediaId>>>;

impl Lab {
    fn new(max_staleness: Duration) -> Self {
        Self::of(OwnershipCache::new(max_staleness))
    }

    fn of(cache: OwnershipCache) -> Self {
        let (calls, asked) = mpsc::unbounded_channel();
        let ask: Arc<QueryFn> = Arc::new(move |owner, scopes, ids| {
            let (answer, answered) = oneshot::channel();
            let ids = ids.into_iter().collect();
            // Nobody takes calls once the test is over.
            let _ = calls.send(Call { owner, scopes, ids, answer });
            Box::pin(async move { answered.await.expect("the question panics with its call") })
        });
        Self { cache, ask, asked }
    }

    /// Begins a check and lets it come as far as it can.
    async fn check_of(&self, owner: &Owner, scopes: &Scopes, ids: &[&str], fresh: bool) -> Check {
        let (cache, ask) = (self.cache.clone(), Arc::clone(&self.ask));
        let (owner, scopes) = (owner.clone(), scopes.clone());
        let ids: Vec<MediaId> = ids.iter().map(|text| id(text)).collect();
        let check =
            tokio::spawn(async move { cache.owned(&owner, &scopes, &ids, fresh, &ask).await });
        settle().await;
        check
    }

    async fn check(&self, ids: &[&str]) -> Check {
        self.check_of(&ana(), &Scopes::any(), ids, false).await
    }

    async fn fresh(&self, ids: &[&str]) -> Check {
        self.check_of(&ana(), &Scopes::any(), ids, true).await
    }

    /// The call that must have been made.
    #[track_caller]
    fn call(&mut self) -> Call {
        self.asked.try_recv().expect("a question")
    }

    #[track_caller]
    fn silent(&mut self) {
        assert!(self.asked.try_recv().is_err(), "nobody was to be asked");
    }

    /// Makes a positive answer known.
    async fn learn(&mut self, ids: &[&str]) {
        let check = self.check(ids).await;
        self.call().owned(ids);
        assert_eq!(owned(check).await, ids);
    }

    fn is_empty(&self) -> bool {
        let state = self.cache.state();
        state.owners.is_empty() && state.cached_ids == 0
    }
}

fn id(text: &str) -> MediaId {
    MediaId::from_trusted(text).expect("an id")
}

fn owner(subject: &str) -> Owner {
    Owner::new(subject).expect("a subject")
}

fn ana() -> Owner {
    owner("ana")
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// The answer to a check, which must be there.
async fn said(check: Check) -> Result<Vec<MediaId>> {
    settle().await;
    assert!(check.is_finished(), "a check is stuck");
    check.await.expect("no panic")
}

async fn owned(check: Check) -> Vec<String> {
    said(check).await.expect("an answer").iter().map(ToString::to_string).collect()
}

fn down() -> Result<QueryResult> {
    Err(Error::new(ErrorKind::Unavailable, "down"))
}

#[tokio::test(start_paused = true)]
async fn g12_those_who_come_at_once_share_one_question() {
    for age in [AGE, Duration::ZERO] {
        let mut lab = Lab::new(age);
        let (any, ana) = (Scopes::any(), ana());
        let ids: Vec<_> = (0..100).map(|n| [id(&format!("m-{}", n % 10))]).collect();
        let checks = ids.iter().map(|ids| lab.cache.owned(&ana, &any, ids, false, &lab.ask));
        let checks = future::join_all(checks);
        let answer = async {
            let call = lab.asked.recv().await.expect("a question");
            assert_eq!(call.ids.len(), 10);
            call.owned(&["m-1", "m-2"]);
        };
        let (answers, ()) = future::join(checks, answer).await;
        let owned =
            answers.into_iter().filter(|owned| !owned.as_ref().expect("an answer").is_empty());
        assert_eq!(owned.count(), 20);
        lab.silent();
    }
}

#[tokio::test(start_paused = true)]
async fn g12_who_comes_later_joins_what_covers_the_ids() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["a", "b"]).await;
    let same = lab.check(&["b"]).await;
    let call = lab.call();
    let other = lab.check(&["c"]).await;
    let others = lab.check(&["d", "a"]).await;
    call.owned(&["a"]);
    assert_eq!((owned(first).await, owned(same).await), (vec!["a".into()], vec![]));
    let call = lab.call();
    assert_eq!(call.ids, ["a", "c", "d"].map(id).into());
    call.owned(&["a", "c"]);
    assert_eq!((owned(other).await, owned(others).await), (vec!["c".into()], vec!["a".into()]));
    lab.silent();
}

#[tokio::test(start_paused = true)]
async fn g12_who_joins_a_list_that_stopped_early_asks_again() {
    let mut lab = Lab::new(AGE);
    let check = lab.check(&["x"]).await;
    lab.call().list(&[]);
    owned(check).await;

    let first = lab.check(&["a"]).await;
    let joined = lab.check(&["b"]).await;
    let missing = lab.check(&["c"]).await;
    let owned_too = [id("a"), id("b")].into();
    lab.call().say(Ok(QueryResult {
        owned: owned_too,
        complete: false,
        listed: true,
        undecided: None,
    }));
    assert_eq!((owned(first).await, owned(joined).await), (vec!["a".into()], vec!["b".into()]));
    let call = lab.call();
    assert_eq!(call.ids, [id("c")].into());
    call.list(&["a", "b"]);
    assert!(owned(missing).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_owners_and_scopes_never_share() {
    let mut lab = Lab::new(AGE);
    let scopes = |names: &[&str]| Scopes::of(names.iter().copied()).expect("scopes");
    let of = |subject: &str, tenant: &str| owner(subject).with_tenant(tenant).expect("a tenant");
    let mut lines = Vec::new();
    let owners = [
        owner("a"),
        owner("a:b"),
        of("a", "b"),
        of("b", "a"),
        owner("a/b"),
        owner("a|b"),
        owner("A"),
        owner("a "),
        owner("a\u{301}"),
        owner("\u{e1}"),
        of("a:b", "c"),
        of("a", "b:c"),
    ];
    for owner in owners {
        for scopes in
            [Scopes::any(), scopes(&["s"]), scopes(&["s", "t"]), scopes(&["s:t"]), scopes(&["t"])]
        {
            lines.push((owner.clone(), scopes));
        }
    }
    for round in ["asked at the same time", "remembered"] {
        for (n, (owner, scopes)) in lines.iter().enumerate() {
            let mine = format!("m-{n}");
            let check = lab.check_of(owner, scopes, &[&mine, "x"], true).await;
            let call = lab.call();
            assert_eq!((&call.owner, &call.scopes), (owner, scopes), "{round}");
            // Left open in the first round, so that all are under way at once.
            if round == "remembered" {
                call.owned(&[&mine]);
                assert_eq!(owned(check).await, [mine]);
            } else {
                drop((call, check));
            }
        }
        settle().await;
    }
    for (n, (owner, scopes)) in lines.iter().enumerate() {
        for other in [n, (n + 1) % lines.len()] {
            let check = lab.check_of(owner, scopes, &[&format!("m-{other}")], false).await;
            if other == n {
                lab.silent();
            } else {
                lab.call().owned(&[]);
            }
            assert_eq!(owned(check).await.len(), usize::from(other == n));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g12_a_positive_answer_is_remembered_from_when_it_was_asked_for() {
    let mut lab = Lab::new(AGE);
    let check = lab.check(&["a"]).await;
    let call = lab.call();
    tokio::time::advance(Duration::from_secs(3)).await;
    call.owned(&["a"]);
    assert_eq!(owned(check).await, ["a"]);

    tokio::time::advance(Duration::from_millis(1_999)).await;
    assert_eq!(owned(lab.check(&["a"]).await).await, ["a"]);
    lab.silent();
    tokio::time::advance(Duration::from_millis(1)).await;
    let check = lab.check(&["a"]).await;
    lab.call().owned(&[]);
    assert!(owned(check).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_what_is_remembered_together_is_as_old_as_its_oldest() {
    let mut lab = Lab::new(AGE);
    lab.learn(&["a"]).await;
    tokio::time::advance(Duration::from_secs(3)).await;
    lab.learn(&["b"]).await;
    assert_eq!(owned(lab.check(&["a", "b"]).await).await, ["a", "b"]);
    lab.silent();
    tokio::time::advance(Duration::from_secs(2)).await;
    let check = lab.check(&["a"]).await;
    lab.call().owned(&[]);
    assert!(owned(check).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_nobody_joins_a_question_older_than_the_staleness_allowed() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["a"]).await;
    let call = lab.call();
    tokio::time::advance(AGE).await;
    let late = lab.check(&["a"]).await;
    call.owned(&["a"]);
    assert_eq!(owned(first).await, ["a"]);
    lab.call().owned(&[]);
    assert!(owned(late).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_zero_remembers_nothing_and_joins_nothing_that_has_begun() {
    let mut lab = Lab::new(Duration::ZERO);
    let first = lab.check(&["a"]).await;
    let call = lab.call();
    let second = lab.check(&["a"]).await;
    call.owned(&["a"]);
    assert_eq!(owned(first).await, ["a"]);
    lab.call().owned(&["a"]);
    assert_eq!(owned(second).await, ["a"]);
    assert!(lab.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_only_positive_answers_are_remembered() {
    let mut lab = Lab::new(AGE);
    for answer in [Ok(QueryResult::default()), down()] {
        let check = lab.check(&["a"]).await;
        lab.call().say(answer);
        assert!(said(check).await.is_ok_and(|owned| owned.is_empty()) || lab.is_empty());
        assert!(lab.is_empty());
    }
    lab.learn(&["a"]).await;
    // One that is remembered does not answer for another.
    let check = lab.check(&["a", "b"]).await;
    assert_eq!(lab.call().ids.len(), 2);
    assert!(!check.is_finished());
}

#[tokio::test(start_paused = true)]
async fn g12_an_error_reaches_all_who_wait_and_the_next_question_is_answered() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["a"]).await;
    let joined = lab.check(&["a"]).await;
    let waiting = lab.check(&["b"]).await;
    lab.call().say(down());
    for check in [first, joined] {
        assert_eq!(said(check).await.expect_err("down").kind(), ErrorKind::Unavailable);
    }
    lab.call().owned(&["b"]);
    assert_eq!(owned(waiting).await, ["b"]);
    lab.learn(&["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn g12_an_answer_that_leaves_some_open_is_one_for_those_who_did_not_ask_about_them() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["first"]).await;
    let checks = [lab.check(&["a"]).await, lab.check(&["a", "open"]).await];
    lab.call().owned(&["first"]);
    owned(first).await;
    let undecided = Some(Error::new(ErrorKind::Unavailable, "too many rows"));
    lab.call().say(Ok(QueryResult {
        owned: [id("a")].into(),
        complete: false,
        listed: true,
        undecided,
    }));
    let [settled, open] = checks;
    assert_eq!(owned(settled).await, ["a"]);
    assert_eq!(said(open).await.expect_err("refused").kind(), ErrorKind::Unavailable);
    lab.silent();
}

#[tokio::test(start_paused = true)]
async fn g12_an_id_that_cannot_be_asked_about_fails_nobody_elses_question() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["first"]).await;
    let checks = [lab.check(&["a"]).await, lab.check(&["bad"]).await];
    lab.call().owned(&["first"]);
    owned(first).await;
    let refused = || Err(Error::new(ErrorKind::InvalidInput, "400"));
    lab.call().say(refused());
    settle().await;
    for _ in 0..2 {
        let alone = lab.call();
        assert_eq!(alone.ids.len(), 1);
        if alone.ids.contains(&id("a")) { alone.owned(&["a"]) } else { alone.say(refused()) }
    }
    let [good, bad] = checks;
    assert_eq!(owned(good).await, ["a"]);
    assert_eq!(said(bad).await.expect_err("refused").kind(), ErrorKind::InvalidInput);

    // Alone from the beginning, it is asked once.
    let alone = lab.check(&["bad"]).await;
    lab.call().say(refused());
    assert_eq!(said(alone).await.expect_err("refused").kind(), ErrorKind::InvalidInput);
    lab.silent();
}

#[tokio::test(start_paused = true)]
async fn g12_a_negative_answer_corrects_what_is_remembered() {
    for list in [false, true] {
        let mut lab = Lab::new(AGE);
        lab.learn(&["a", "b"]).await;
        let check = lab.fresh(&["a"]).await;
        let call = lab.call();
        if list {
            call.list(&["b"])
        } else {
            call.owned(&[])
        }
        assert!(owned(check).await.is_empty());
        assert_eq!(owned(lab.check(&["b"]).await).await, ["b"]);
        lab.silent();
        let check = lab.check(&["a"]).await;
        lab.call().owned(&[]);
        assert!(owned(check).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn g12_followers_are_answered_though_the_first_gave_up() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["a"]).await;
    let call = lab.call();
    let follower = lab.check(&["a"]).await;
    let waiting = lab.check(&["b"]).await;
    first.abort();
    settle().await;
    call.owned(&["a"]);
    assert_eq!(owned(follower).await, ["a"]);
    lab.call().owned(&["b"]);
    assert_eq!(owned(waiting).await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn g12_all_gave_up_and_nothing_is_stuck_or_asked_for_nobody() {
    let mut lab = Lab::new(AGE);
    let checks = [lab.check(&["a"]).await, lab.check(&["b"]).await, lab.check(&["b"]).await];
    checks.iter().for_each(JoinHandle::abort);
    settle().await;
    lab.call().owned(&[]);
    settle().await;
    lab.silent();
    assert!(lab.is_empty());
    lab.learn(&["b"]).await;
}

#[tokio::test(start_paused = true)]
async fn g12_fresh_uses_no_memory_and_joins_no_question_that_has_begun() {
    let mut lab = Lab::new(AGE);
    lab.learn(&["a"]).await;
    let fresh = lab.fresh(&["a"]).await;
    let call = lab.call();
    let again = lab.fresh(&["a"]).await;
    call.owned(&["a"]);
    assert_eq!(owned(fresh).await, ["a"]);
    lab.call().owned(&[]);
    assert!(owned(again).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_what_a_change_overtook_is_neither_remembered_nor_used_by_those_who_come_after() {
    for removal in [true, false] {
        for ends_first in [true, false] {
            let mut lab = Lab::new(AGE);
            let change = |lab: &Lab| match removal {
                true => lab.cache.deletion_guard(&id("a")),
                false => lab.cache.upload_guard(&ana()),
            };
            let early = lab.check(&["a"]).await;
            let call = lab.call();
            let mut under_way = Some(change(&lab));
            if ends_first {
                under_way.take();
            }
            let late = lab.check(&["a"]).await;
            call.owned(&["a"]);
            assert_eq!(owned(early).await, ["a"]);
            lab.call().owned(&[]);
            assert!(owned(late).await.is_empty());
            drop(under_way);
            assert!(lab.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g12_an_answer_that_a_removal_overtook_is_not_remembered() {
    let mut lab = Lab::new(AGE);
    let early = lab.check(&["a"]).await;
    drop(lab.cache.deletion_guard(&id("a")));
    lab.call().owned(&["a"]);
    assert_eq!(owned(early).await, ["a"], "it may have been so when this began");
    assert!(lab.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_after_a_removal_nobody_is_answered_from_memory() {
    let mut lab = Lab::new(AGE);
    let bob = owner("bob");
    lab.learn(&["a", "b"]).await;
    let check = lab.check_of(&bob, &Scopes::any(), &["a"], false).await;
    lab.call().owned(&["a"]);
    owned(check).await;

    let removal = lab.cache.deletion_guard(&id("a"));
    // The service has not done it yet, so it is owned and may be remembered until the end.
    lab.learn(&["a"]).await;
    drop(removal);
    assert_eq!(owned(lab.check(&["b"]).await).await, ["b"]);
    lab.silent();
    for owner in [ana(), bob] {
        let check = lab.check_of(&owner, &Scopes::any(), &["a"], false).await;
        lab.call().owned(&[]);
        assert!(owned(check).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn g12_an_upload_is_seen_at_once_and_costs_others_nothing() {
    let mut lab = Lab::new(AGE);
    lab.learn(&["a"]).await;
    let bob = owner("bob");
    let early = lab.check(&["b"]).await;
    let bobs = lab.check_of(&bob, &Scopes::any(), &["c"], false).await;
    let (call, bobs_call) = (lab.call(), lab.call());
    drop(lab.cache.upload_guard(&ana()));
    let late = lab.check(&["b"]).await;
    let joined = lab.check_of(&bob, &Scopes::any(), &["c"], false).await;
    call.list(&["a"]);
    bobs_call.owned(&["c"]);
    assert!(owned(early).await.is_empty());
    assert_eq!((owned(bobs).await, owned(joined).await), (vec!["c".into()], vec!["c".into()]));
    lab.call().list(&["a", "b"]);
    assert_eq!(owned(late).await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn g01_a_question_that_panics_is_an_error_and_leaves_nothing() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["a"]).await;
    let waiting = lab.check(&["b"]).await;
    // The fake panics if its call is dropped.
    drop(lab.call());
    for check in [first, waiting] {
        assert_eq!(said(check).await.expect_err("a panic").kind(), ErrorKind::Internal);
    }
    assert!(lab.is_empty());
    lab.learn(&["a"]).await;
}

#[test]
fn g01_a_runtime_that_ends_leaves_nothing() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime")
    };
    let mut lab = Lab::new(AGE);
    let (first, second) = (runtime(), runtime());
    let _check = first.block_on(lab.check(&["a"]));
    let joined = second.block_on(lab.check(&["a"]));
    drop(first);
    second.block_on(async {
        assert_eq!(said(joined).await.expect_err("gone").kind(), ErrorKind::Internal);
        assert!(lab.is_empty());
        drop(lab.call());
        lab.learn(&["a"]).await;
    });
}

#[test]
fn g01_a_question_outside_of_a_runtime_leaves_nothing() {
    let lab = Lab::new(AGE);
    let (ana, any, ids) = (ana(), Scopes::any(), [id("a")]);
    let check = lab.cache.owned(&ana, &any, &ids, false, &lab.ask);
    let panicked = std::panic::AssertUnwindSafe(check).catch_unwind().now_or_never();
    assert!(panicked.expect("at once").is_err());
    assert!(lab.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_memory_is_bounded() {
    let mut cache = OwnershipCache::new(AGE);
    cache.capacity = Capacity { owners: 10, ids: 100 };
    let mut lab = Lab::of(cache);
    let many: Vec<String> = (0..101).map(|n| format!("m-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for n in 0..200 {
        let owner = owner(&format!("o-{n}"));
        let ids = &many[..n % 102];
        let check = lab.check_of(&owner, &Scopes::any(), ids, false).await;
        if ids.is_empty() {
            lab.silent();
        } else {
            lab.call().owned(ids);
        }
        assert_eq!(owned(check).await, ids);
        let state = lab.cache.state();
        let counted = state.owners.values().flat_map(HashMap::values);
        let counted: usize =
            counted.filter_map(|slot| Some(slot.cached.as_ref()?.owned.len())).sum();
        assert_eq!(state.cached_ids, counted);
        assert!(state.cached_ids <= 100 && state.owners.len() <= 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g12_who_comes_as_a_line_of_questions_ends_is_not_lost() {
    let cache = OwnershipCache::new(Duration::ZERO);
    let ask: Arc<QueryFn> = Arc::new(|_, _, ids| {
        let owned = ids.into_iter().collect();
        Box::pin(async move {
            Ok(QueryResult { owned, complete: false, listed: false, undecided: None })
        })
    });
    let checks = (0..8).map(|n| {
        let (cache, ask, mine) = (cache.clone(), Arc::clone(&ask), [id(&format!("m-{n}"))]);
        tokio::spawn(async move {
            for _ in 0..2_000 {
                let owned = cache.owned(&ana(), &Scopes::any(), &mine, false, &ask).await;
                assert_eq!(owned.expect("an answer"), mine);
            }
        })
    });
    for check in checks.collect::<Vec<_>>() {
        check.await.expect("no check fails");
    }
}
