//! Lists in pages.

use super::{Engine, TestDb, each_engine, entry, in_scope, owner};
use crate::{error::ErrorKind, media::ListOptions, owner::Scopes};

async fn pages_list_every_row_once_newest_first(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let mut all = Vec::new();
    for n in 0..23 {
        let entry = entry(&ana, &format!("{n}"));
        let row = db.insert(&in_scope(&entry, if n % 3 == 0 { "rare" } else { "me" })).await;
        if n % 5 == 0 {
            db.insert(&in_scope(&entry, "often")).await;
        }
        all.insert(0, (n, row));
    }
    let scopes = |names: &[&str]| Scopes::of(names.iter().copied()).expect("scopes");
    let asked = [
        (Scopes::any(), (|_| true) as fn(i32) -> bool),
        (scopes(&["me"]), |n| n % 3 != 0),
        (scopes(&["rare"]), |n| n % 3 == 0),
        (scopes(&["rare", "often"]), |n| n % 3 == 0 || n % 5 == 0),
        (scopes(&["often", "none"]), |n| n % 5 == 0),
        (scopes(&["none"]), |_| false),
    ];
    for (scopes, is_in) in asked {
        let expected: Vec<_> =
            all.iter().filter(|(n, _)| is_in(*n)).map(|(_, row)| row.clone()).collect();
        for limit in [1, 2, 7, 23, 500] {
            let options = ListOptions::new().with_scopes(scopes.clone()).with_limit(limit);
            assert_eq!(db.list(&ana, options).await, expected, "{scopes:?} by {limit}");
        }
    }
}

async fn an_unknown_page_token_is_refused(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    for n in 0..3 {
        db.insert(&entry(&ana, &n.to_string())).await;
    }
    for token in ["", "0", "4", "+1", "01", " 1", "-1", "1 OR 1=1", "99999999999999999999"] {
        for owner in [&ana, &owner("bob")] {
            let page = db.db.list(owner, &ListOptions::new().with_after(token)).await;
            assert_eq!(page.expect_err(token).kind(), ErrorKind::InvalidInput);
        }
    }
    // A token outlives its row.
    let first = db.db.list(&ana, &ListOptions::new().with_limit(2)).await.expect("a page");
    db.db.delete(&ana, &first.rows[1].id).await.expect("a deletion");
    let next = ListOptions::new().with_after(first.next.expect("there is more"));
    assert_eq!(db.db.list(&ana, &next).await.expect("a page").rows.len(), 1);
}

each_engine! {
    pages_list_every_row_once_newest_first,
    an_unknown_page_token_is_refused,
}
