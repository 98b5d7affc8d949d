//! Uploads and deletions invalidate answers.

use super::*;

#[tokio::test(start_paused = true)]
async fn g12_a_change_invalidates_the_query_in_flight() {
    for deletion in [true, false] {
        for ends_first in [true, false] {
            let mut lab = Lab::new(AGE);
            let change = |lab: &Lab| match deletion {
                true => lab.cache.deletion_guard(&id("a")),
                false => lab.cache.upload_guard(&ana()),
            };
            let early = lab.check(&["a"]).await;
            let call = lab.call();
            let mut change_guard = Some(change(&lab));
            if ends_first {
                change_guard.take();
            }
            let late = lab.check(&["a"]).await;
            call.owned(&["a"]);
            assert_eq!(owned(early).await, ["a"]);
            lab.call().owned(&[]);
            assert!(owned(late).await.is_empty());
            drop(change_guard);
            assert!(lab.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn g12_an_answer_older_than_a_deletion_is_not_cached() {
    let mut lab = Lab::new(AGE);
    let early = lab.check(&["a"]).await;
    drop(lab.cache.deletion_guard(&id("a")));
    lab.call().owned(&["a"]);
    assert_eq!(owned(early).await, ["a"], "owned when the check began");
    assert!(lab.is_empty());
}

#[tokio::test(start_paused = true)]
async fn g12_a_deletion_removes_the_id_for_all_owners() {
    let mut lab = Lab::new(AGE);
    let bob = owner("bob");
    lab.cache_ids(&["a", "b"]).await;
    let check = lab.check_of(&bob, &Scopes::any(), &["a"], false).await;
    lab.call().owned(&["a"]);
    owned(check).await;

    let deletion = lab.cache.deletion_guard(&id("a"));
    // The deletion has not ended, so the id is still owned and may be cached until then.
    lab.cache_ids(&["a"]).await;
    drop(deletion);
    assert_eq!(owned(lab.check(&["b"]).await).await, ["b"]);
    lab.no_call();
    for owner in [ana(), bob] {
        let check = lab.check_of(&owner, &Scopes::any(), &["a"], false).await;
        lab.call().owned(&[]);
        assert!(owned(check).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn g12_an_upload_invalidates_only_its_owner() {
    let mut lab = Lab::new(AGE);
    lab.cache_ids(&["a"]).await;
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
