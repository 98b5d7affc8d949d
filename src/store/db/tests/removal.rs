//! What goes, and what it takes along.

use super::{Lab, entry, in_scope, owner};
use crate::{
    error::ErrorKind,
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats},
    owner::{Owner, Scopes},
    store::db::Database as _,
};

#[tokio::test]
async fn only_the_owner_removes_and_then_it_is_gone_from_every_scope() {
    let (lab, ana, bob) = (Lab::new().await, owner("ana"), owner("bob"));
    let namesake = ana.clone().with_tenant("acme").expect("a tenant");
    let cat = entry(&ana, "cat");
    let row = lab.insert(&cat).await;
    lab.insert(&in_scope(&cat, "wardrobe")).await;
    let remove =
        async |owner: &Owner, id: &MediaId| lab.db.delete(owner, id).await.expect("a removal");
    assert_eq!(remove(&bob, &row.id).await, None);
    assert_eq!(remove(&namesake, &row.id).await, None);
    assert_eq!(remove(&ana, &MediaId::random()).await, None);
    assert_eq!(lab.get(&row.id).await.as_ref(), Some(&row));

    assert_eq!(remove(&ana, &row.id).await, Some(row.clone()));
    assert_eq!(remove(&ana, &row.id).await, None);
    assert_eq!(lab.get(&row.id).await, None);
    assert_eq!(lab.stats(&ana).await, MediaStats::default());
    for scopes in [Scopes::any(), Scopes::of(["me", "wardrobe"]).expect("scopes")] {
        assert_eq!(lab.owned(&ana, &scopes, std::slice::from_ref(&row.id)).await, []);
        assert_eq!(lab.list(&ana, ListOptions::new().with_scopes(scopes)).await, []);
    }
    assert_ne!(lab.insert(&cat).await.id, row.id, "an id was given twice");
    lab.db.check().await.expect("everything fits together");
}

#[tokio::test]
async fn an_erased_owner_leaves_nothing_of_their_own() {
    let (lab, ana, bob) = (Lab::new().await, owner("ana"), owner("bob"));
    let shared = lab.insert(&entry(&ana, "shared")).await;
    let kept = lab.insert(&entry(&bob, "shared")).await;
    let mut ids = vec![shared.id];
    // More than one step of erasing takes.
    for n in 0..510 {
        ids.push(lab.insert(&entry(&ana, &n.to_string())).await.id);
    }
    let erased = lab.db.erase_owner(&ana).await.expect("an erasure");
    assert_eq!(erased, ids);
    assert_eq!(lab.stats(&ana).await, MediaStats::default());
    assert_eq!(lab.list(&ana, ListOptions::new()).await, []);
    assert_eq!(lab.owned(&ana, &Scopes::any(), &ids).await, []);
    assert_eq!(lab.orphans().await.len(), 510);
    assert!(!lab.orphans().await.contains(&kept.hash));
    assert_eq!(lab.list(&bob, ListOptions::new()).await, [kept]);

    // Not even how many there ever were.
    let old = lab.db.list(&ana, &ListOptions::new().with_after("1")).await;
    assert_eq!(old.expect_err("a token of before").kind(), ErrorKind::InvalidInput);
    assert_eq!(lab.db.erase_owner(&ana).await.expect("nothing to do"), []);
    lab.db.check().await.expect("everything fits together");
}

#[tokio::test]
async fn the_last_holder_erased_leaves_the_content_an_orphan() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    lab.insert(&entry(&ana, "cat")).await;
    lab.db.erase_owner(&ana).await.expect("an erasure");
    assert_eq!(lab.orphans().await, [ContentHash::of(b"cat")]);
}
