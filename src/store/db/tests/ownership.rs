//! The ownership query.

use super::{Engine, TestDb, each_engine, entry, in_scope, owner};
use crate::{
    id::MediaId,
    owner::{Owner, Scopes},
    ownership::{OwnershipQuestion, OwnershipStatus},
};

fn scopes(names: &[&str]) -> Scopes {
    Scopes::of(names.iter().copied()).expect("scopes")
}

async fn g10_ids_owners_and_scopes_compare_by_bytes(engine: Engine) {
    let db = TestDb::new(engine).await;
    let tenant = |owner: Owner, name| owner.with_tenant(name).expect("a tenant");
    let owners = [
        owner("ana"),
        owner("Ana"),
        owner("ana "),
        owner("a:na"),
        tenant(owner("ana"), "a"),
        tenant(owner("ana"), "A"),
        tenant(owner("na"), "a:"),
        owner("anä"),
        owner("ana\u{308}"),
        owner("%"),
        owner("' OR ''='"),
    ];
    for one in &owners {
        let id = db.insert(&in_scope(&entry(one, "cat"), "s'c%pe")).await.id;
        for other in &owners {
            let found = db.owned(other, &Scopes::any(), std::slice::from_ref(&id)).await;
            assert_eq!(found.len(), usize::from(one == other), "{other:?} of {one:?}");
        }
        for (scope, owned) in [("s'c%pe", true), ("S'c%pe", false), ("s'c_pe", false), ("%", false)]
        {
            let found = db.owned(one, &scopes(&[scope]), std::slice::from_ref(&id)).await;
            assert_eq!(found.len(), usize::from(owned), "{scope}");
        }
        let text = id.as_str();
        for other in [text.to_uppercase(), text.replace('-', ""), format!("{text}~")] {
            let other = MediaId::from_trusted(other).expect("an id");
            assert_eq!(db.owned(one, &Scopes::any(), &[other]).await, []);
        }
    }
}

async fn any_number_of_ids_and_scopes_is_answered(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let mine = db.insert(&entry(&ana, "cat")).await.id;
    let theirs = db.insert(&entry(&owner("bob"), "cat")).await.id;
    let many: Vec<String> = (0..40_000).map(|n| format!("scope {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).chain(["me"]).collect();
    for count in [0, 1, 1_023, 1_024, 1_025, 33_000] {
        let mut ids: Vec<MediaId> = (0..count).map(|_| MediaId::random()).collect();
        ids.extend([mine.clone(), theirs.clone(), mine.clone()]);
        for scopes in [Scopes::any(), scopes(&["me", "other"])] {
            let owned = db.owned(&ana, &scopes, &ids).await;
            assert_eq!(owned, [mine.clone(), mine.clone()], "among {count}");
        }
    }
    assert_eq!(db.owned(&ana, &scopes(&many), std::slice::from_ref(&mine)).await.len(), 1);
    assert_eq!(db.owned(&ana, &Scopes::any(), &[]).await, []);
}

async fn g16_explain_returns_the_status_of_each_id(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let mine = db.insert(&entry(&ana, "cat")).await.id;
    let theirs = db.insert(&entry(&owner("bob"), "cat")).await.id;
    let absent = MediaId::random();
    let ids = [theirs, mine.clone(), absent, mine];
    let explain = async |owner: &Owner, scopes: &Scopes| {
        let question = OwnershipQuestion::new(owner, scopes, &ids);
        db.db.explain(&question).await.expect("an explanation")
    };
    use OwnershipStatus::{Absent, Foreign, Owned, WrongScope};
    let owned = [Foreign, Owned, Absent, Owned];
    assert_eq!(explain(&ana, &Scopes::any()).await, owned);
    assert_eq!(explain(&ana, &scopes(&["x", "me"])).await, owned);
    let wrong = [Foreign, WrongScope, Absent, WrongScope];
    assert_eq!(explain(&ana, &scopes(&["x"])).await, wrong);
    let foreign = [Foreign, Foreign, Absent, Foreign];
    assert_eq!(explain(&owner("never came"), &Scopes::any()).await, foreign);
}

each_engine! {
    g10_ids_owners_and_scopes_compare_by_bytes,
    any_number_of_ids_and_scopes_is_answered,
    g16_explain_returns_the_status_of_each_id,
}
