//! Failed queries, panics and runtime shutdowns are errors.

use super::*;

#[tokio::test(start_paused = true)]
async fn g12_an_error_fails_its_callers_but_not_the_next_query() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["a"]).await;
    let joined = lab.check(&["a"]).await;
    let waiting = lab.check(&["b"]).await;
    lab.call().reply(down());
    for check in [first, joined] {
        assert_eq!(result(check).await.expect_err("down").kind(), ErrorKind::Unavailable);
    }
    lab.call().owned(&["b"]);
    assert_eq!(owned(waiting).await, ["b"]);
    lab.cache_ids(&["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn g12_undecided_ids_fail_only_the_callers_that_need_them() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["first"]).await;
    let checks = [lab.check(&["a"]).await, lab.check(&["a", "undecided"]).await];
    lab.call().owned(&["first"]);
    owned(first).await;
    let error = Some(Error::new(ErrorKind::Unavailable, "too many rows"));
    lab.call().reply(Ok(QueryResult {
        owned: [id("a")].into(),
        complete: false,
        listed: true,
        undecided: error,
    }));
    let [decided, undecided] = checks;
    assert_eq!(owned(decided).await, ["a"]);
    assert_eq!(result(undecided).await.expect_err("refused").kind(), ErrorKind::Unavailable);
    lab.no_call();
}

#[tokio::test(start_paused = true)]
async fn g12_an_invalid_id_fails_only_its_own_caller() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["first"]).await;
    let checks = [lab.check(&["a"]).await, lab.check(&["bad"]).await];
    lab.call().owned(&["first"]);
    owned(first).await;
    let refused = || Err(Error::new(ErrorKind::InvalidInput, "400"));
    lab.call().reply(refused());
    settle().await;
    for _ in 0..2 {
        let alone = lab.call();
        assert_eq!(alone.ids.len(), 1);
        if alone.ids.contains(&id("a")) { alone.owned(&["a"]) } else { alone.reply(refused()) }
    }
    let [good, bad] = checks;
    assert_eq!(owned(good).await, ["a"]);
    assert_eq!(result(bad).await.expect_err("refused").kind(), ErrorKind::InvalidInput);

    // In a batch of its own, it is queried once.
    let alone = lab.check(&["bad"]).await;
    lab.call().reply(refused());
    assert_eq!(result(alone).await.expect_err("refused").kind(), ErrorKind::InvalidInput);
    lab.no_call();
}

#[tokio::test(start_paused = true)]
async fn g01_a_panicking_query_is_an_error() {
    let mut lab = Lab::new(AGE);
    let first = lab.check(&["a"]).await;
    let waiting = lab.check(&["b"]).await;
    // The query function panics if its call is dropped.
    drop(lab.call());
    for check in [first, waiting] {
        assert_eq!(result(check).await.expect_err("a panic").kind(), ErrorKind::Internal);
    }
    assert!(lab.is_empty());
    lab.cache_ids(&["a"]).await;
}

#[test]
fn g01_a_runtime_shutdown_is_an_error() {
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
        assert_eq!(result(joined).await.expect_err("shut down").kind(), ErrorKind::Internal);
        assert!(lab.is_empty());
        drop(lab.call());
        lab.cache_ids(&["a"]).await;
    });
}

#[test]
fn g01_a_call_outside_a_runtime_leaves_no_query() {
    let lab = Lab::new(AGE);
    let (ana, any, ids) = (ana(), Scopes::any(), [id("a")]);
    let check = lab.cache.owned(&ana, &any, &ids, false, &lab.query);
    let panicked = std::panic::AssertUnwindSafe(check).catch_unwind().now_or_never();
    assert!(panicked.expect("no await").is_err());
    assert!(lab.is_empty());
}
