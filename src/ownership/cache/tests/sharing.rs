//! Concurrent callers share queries, and cancelled callers do not affect the others.

use super::*;

#[tokio::test(start_paused = true)]
async fn g12_concurrent_callers_share_one_query() {
    for age in [AGE, Duration::ZERO] {
        let mut lab = Lab::new(age);
        let (any, ana) = (Scopes::any(), ana());
        let ids: Vec<_> = (0..100).map(|n| [id(&format!("m-{}", n % 10))]).collect();
        let checks = ids.iter().map(|ids| lab.cache.owned(&ana, &any, ids, false, &lab.query));
        let checks = future::join_all(checks);
        let answer = async {
            let call = lab.calls.recv().await.expect("a query");
            assert_eq!(call.ids.len(), 10);
            call.owned(&["m-1", "m-2"]);
        };
        let (answers, ()) = future::join(checks, answer).await;
        let owned =
            answers.into_iter().filter(|owned| !owned.as_ref().expect("an answer").is_empty());
        assert_eq!(owned.count(), 20);
        lab.no_call();
    }
}

#[tokio::test(start_paused = true)]
async fn g12_later_callers_join_a_query_that_has_their_ids() {
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
    lab.no_call();
}

#[tokio::test(start_paused = true)]
async fn g12_a_caller_queries_again_after_a_partial_list() {
    let mut lab = Lab::new(AGE);
    let check = lab.check(&["x"]).await;
    lab.call().list(&[]);
    owned(check).await;

    let first = lab.check(&["a"]).await;
    let joined = lab.check(&["b"]).await;
    let missing = lab.check(&["c"]).await;
    let owned_too = [id("a"), id("b")].into();
    lab.call().reply(Ok(QueryResult {
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
async fn g12_owners_and_scopes_never_share_answers() {
    let mut lab = Lab::new(AGE);
    let scopes = |names: &[&str]| Scopes::of(names.iter().copied()).expect("scopes");
    let of = |subject: &str, tenant: &str| owner(subject).with_tenant(tenant).expect("a tenant");
    let mut slots = Vec::new();
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
            slots.push((owner.clone(), scopes));
        }
    }
    for round in ["concurrent", "cached"] {
        for (n, (owner, scopes)) in slots.iter().enumerate() {
            let mine = format!("m-{n}");
            let check = lab.check_of(owner, scopes, &[&mine, "x"], true).await;
            let call = lab.call();
            assert_eq!((&call.owner, &call.scopes), (owner, scopes), "{round}");
            // The calls of the first round stay pending, so that all queries are in flight at once.
            if round == "cached" {
                call.owned(&[&mine]);
                assert_eq!(owned(check).await, [mine]);
            } else {
                drop((call, check));
            }
        }
        settle().await;
    }
    for (n, (owner, scopes)) in slots.iter().enumerate() {
        for other in [n, (n + 1) % slots.len()] {
            let check = lab.check_of(owner, scopes, &[&format!("m-{other}")], false).await;
            if other == n {
                lab.no_call();
            } else {
                lab.call().owned(&[]);
            }
            assert_eq!(owned(check).await.len(), usize::from(other == n));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g12_cancelling_the_first_caller_keeps_the_others() {
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
async fn g12_batches_of_cancelled_callers_are_dropped() {
    let mut lab = Lab::new(AGE);
    let checks = [lab.check(&["a"]).await, lab.check(&["b"]).await, lab.check(&["b"]).await];
    checks.iter().for_each(JoinHandle::abort);
    settle().await;
    lab.call().owned(&[]);
    settle().await;
    lab.no_call();
    assert!(lab.is_empty());
    lab.cache_ids(&["b"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn g12_callers_at_the_end_of_a_query_task_are_served() {
    let cache = OwnershipCache::new(Duration::ZERO);
    let query: Arc<QueryFn> = Arc::new(|_, _, ids| {
        let owned = ids.into_iter().collect();
        Box::pin(async move {
            Ok(QueryResult { owned, complete: false, listed: false, undecided: None })
        })
    });
    let checks = (0..8).map(|n| {
        let (cache, query, mine) = (cache.clone(), Arc::clone(&query), [id(&format!("m-{n}"))]);
        tokio::spawn(async move {
            for _ in 0..2_000 {
                let owned = cache.owned(&ana(), &Scopes::any(), &mine, false, &query).await;
                assert_eq!(owned.expect("an answer"), mine);
            }
        })
    });
    for check in checks.collect::<Vec<_>>() {
        check.await.expect("no check fails");
    }
}
