//! Answers are cached for at most the staleness, and within the capacity.

use super::*;

#[tokio::test(start_paused = true)]
async fn g12_the_age_of_an_answer_begins_with_its_query() {
    let mut lab = Lab::new(AGE);
    let check = lab.check(&["a"]).await;
    let call = lab.call();
    tokio::time::advance(Duration::from_secs(3)).await;
    call.owned(&["a"]);
    assert_eq!(owned(check).await, ["a"]);

    tokio::time::advance(Duration::from_millis(1_999)).await;
    assert_eq!(owned(lab.check(&["a"]).await).await, ["a"]);
    lab.no_call();
    tokio::time::advance(Duration::from_millis(1)).await;
    let check = lab.check(&["a"]).await;
    lab.call().owned(&[]);
    assert!(owned(check).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_merged_ids_are_as_old_as_the_oldest_answer() {
    let mut lab = Lab::new(AGE);
    lab.cache_ids(&["a"]).await;
    tokio::time::advance(Duration::from_secs(3)).await;
    lab.cache_ids(&["b"]).await;
    assert_eq!(owned(lab.check(&["a", "b"]).await).await, ["a", "b"]);
    lab.no_call();
    tokio::time::advance(Duration::from_secs(2)).await;
    let check = lab.check(&["a"]).await;
    lab.call().owned(&[]);
    assert!(owned(check).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_callers_do_not_join_a_query_that_is_too_old() {
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
async fn g12_zero_staleness_caches_and_joins_nothing() {
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
async fn g12_only_positive_answers_are_cached() {
    let mut lab = Lab::new(AGE);
    for answer in [Ok(QueryResult::default()), down()] {
        let check = lab.check(&["a"]).await;
        lab.call().reply(answer);
        assert!(result(check).await.is_ok_and(|owned| owned.is_empty()) || lab.is_empty());
        assert!(lab.is_empty());
    }
    lab.cache_ids(&["a"]).await;
    // A cached id does not answer for another one.
    let check = lab.check(&["a", "b"]).await;
    assert_eq!(lab.call().ids.len(), 2);
    assert!(!check.is_finished());
}

#[tokio::test(start_paused = true)]
async fn g12_a_negative_answer_removes_cached_ids() {
    for list in [false, true] {
        let mut lab = Lab::new(AGE);
        lab.cache_ids(&["a", "b"]).await;
        let check = lab.bypass(&["a"]).await;
        let call = lab.call();
        if list {
            call.list(&["b"])
        } else {
            call.owned(&[])
        }
        assert!(owned(check).await.is_empty());
        assert_eq!(owned(lab.check(&["b"]).await).await, ["b"]);
        lab.no_call();
        let check = lab.check(&["a"]).await;
        lab.call().owned(&[]);
        assert!(owned(check).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn g12_bypass_ignores_the_cache_and_running_queries() {
    let mut lab = Lab::new(AGE);
    lab.cache_ids(&["a"]).await;
    let bypass = lab.bypass(&["a"]).await;
    let call = lab.call();
    let again = lab.bypass(&["a"]).await;
    call.owned(&["a"]);
    assert_eq!(owned(bypass).await, ["a"]);
    lab.call().owned(&[]);
    assert!(owned(again).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_the_number_of_cached_ids_is_bounded() {
    let cache = OwnershipCache::with_capacity(AGE, Capacity { owners: 10, ids: 100 });
    let mut lab = Lab::of(cache);
    let many: Vec<String> = (0..101).map(|n| format!("m-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for n in 0..200 {
        let owner = owner(&format!("o-{n}"));
        let ids = &many[..n % 102];
        let check = lab.check_of(&owner, &Scopes::any(), ids, false).await;
        if ids.is_empty() {
            lab.no_call();
        } else {
            lab.call().owned(ids);
        }
        assert_eq!(owned(check).await, ids);
        let state = lab.cache.0.state.lock();
        let counted = state.owners.values().flat_map(HashMap::values);
        let counted: usize =
            counted.filter_map(|slot| Some(slot.cached.as_ref()?.owned.len())).sum();
        assert_eq!(state.cached_ids, counted);
        assert!(state.cached_ids <= 100 && state.owners.len() <= 10);
    }
}
