//! Deletion, and the garbage that it records.

use super::{Engine, TestDb, each_engine, entry, in_scope, owner};
use crate::{
    error::ErrorKind,
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats},
    owner::{Owner, Scopes},
};

async fn only_the_owner_deletes_and_from_every_scope(engine: Engine) {
    let (db, ana, bob) = (TestDb::new(engine).await, owner("ana"), owner("bob"));
    let namesake = ana.clone().with_tenant("acme").expect("a tenant");
    let cat = entry(&ana, "cat");
    let row = db.insert(&cat).await;
    db.insert(&in_scope(&cat, "wardrobe")).await;
    let remove =
        async |owner: &Owner, id: &MediaId| db.db.delete(owner, id).await.expect("a deletion");
    assert_eq!(remove(&bob, &row.id).await, None);
    assert_eq!(remove(&namesake, &row.id).await, None);
    assert_eq!(remove(&ana, &MediaId::random()).await, None);
    assert_eq!(db.get(&row.id).await.as_ref(), Some(&row));

    assert_eq!(remove(&ana, &row.id).await, Some(row.clone()));
    assert_eq!(remove(&ana, &row.id).await, None);
    assert_eq!(db.get(&row.id).await, None);
    assert_eq!(db.stats(&ana).await, MediaStats::default());
    for scopes in [Scopes::any(), Scopes::of(["me", "wardrobe"]).expect("scopes")] {
        assert_eq!(db.owned(&ana, &scopes, std::slice::from_ref(&row.id)).await, []);
        assert_eq!(db.list(&ana, ListOptions::new().with_scopes(scopes)).await, []);
    }
    assert_ne!(db.insert(&cat).await.id, row.id, "an id was given twice");
    db.db.check().await.expect("a consistent database");
}

async fn an_erased_owner_leaves_no_rows(engine: Engine) {
    let (db, ana, bob) = (TestDb::new(engine).await, owner("ana"), owner("bob"));
    let shared = db.insert(&entry(&ana, "shared")).await;
    let kept = db.insert(&entry(&bob, "shared")).await;
    let mut ids = vec![shared.id];
    // More than one step of erasing takes.
    for n in 0..510 {
        ids.push(db.insert(&entry(&ana, &n.to_string())).await.id);
    }
    let erased = db.db.erase_owner(&ana).await.expect("an erasure");
    assert_eq!(erased, ids);
    assert_eq!(db.stats(&ana).await, MediaStats::default());
    assert_eq!(db.list(&ana, ListOptions::new()).await, []);
    assert_eq!(db.owned(&ana, &Scopes::any(), &ids).await, []);
    assert_eq!(db.unreferenced().await.len(), 510);
    assert!(!db.unreferenced().await.contains(&kept.hash));
    assert_eq!(db.list(&bob, ListOptions::new()).await, [kept]);

    // Not even how many there ever were.
    let old = db.db.list(&ana, &ListOptions::new().with_after("1")).await;
    assert_eq!(old.expect_err("a token of before").kind(), ErrorKind::InvalidInput);
    assert_eq!(db.db.erase_owner(&ana).await.expect("nothing to do"), []);
    db.db.check().await.expect("a consistent database");
}

async fn the_last_owner_erased_leaves_the_content_unreferenced(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    db.insert(&entry(&ana, "cat")).await;
    db.db.erase_owner(&ana).await.expect("an erasure");
    assert_eq!(db.unreferenced().await, [ContentHash::of(b"cat")]);
}

each_engine! {
    only_the_owner_deletes_and_from_every_scope,
    an_erased_owner_leaves_no_rows,
    the_last_owner_erased_leaves_the_content_unreferenced,
}
