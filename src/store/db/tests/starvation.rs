//! A large library: checks, lists, searches and deletions at once (promise R11).

use futures_util::future::{join, join_all};

use super::{Engine, TestDb, cost::grow, entry, owner};
use crate::{
    media::{ListOptions, SearchOptions, SortBy},
    owner::Scopes,
};

#[tokio::test(flavor = "multi_thread")]
async fn r11_a_library_of_100_000_media_is_served_at_once() {
    let (db, ana, bob) = (TestDb::new(Engine::Sqlite).await, owner("ana"), owner("bob"));
    db.insert(&entry(&ana, "first")).await;
    let ids = grow(&db.folder.path().join("db"), 99_999).await;
    let bobs = db.insert(&entry(&bob, "bob's")).await.id;
    let me = Scopes::of(["me"]).expect("a scope");
    let searches = SortBy::ALL.map(|by| {
        let options = SearchOptions::new().with_scopes(me.clone()).with_sort(by, true);
        options.with_mime_type("image/jpeg").with_offset(50_000)
    });
    let searches = searches.iter().cycle().take(9).map(|options| db.db.search(&ana, options));
    let checks = (0..200).map(|_| db.owned(&bob, &me, std::slice::from_ref(&bobs)));
    let mut deleted = ids.clone();
    deleted.truncate(50);
    deleted.sort();
    deleted.dedup();
    let deletions = deleted.iter().map(|id| db.db.delete(&ana, id));
    let list = ListOptions::new().with_scopes(me.clone());
    let lists = (0..50).map(|_| db.db.list(&ana, &list));
    let ((found, listed), (checked, gone)) = join(
        join(join_all(searches), join_all(lists)),
        join(join_all(checks), join_all(deletions)),
    )
    .await;
    assert!(checked.iter().all(|owned| *owned == [bobs.clone()]));
    for matches in found {
        let matches = matches.expect("a page");
        assert_eq!(matches.rows.len(), 50);
        assert!((99_949..100_000).contains(&matches.total), "{}", matches.total);
    }
    assert!(listed.into_iter().all(|page| page.expect("a page").rows.len() == 50));
    assert!(gone.into_iter().all(|row| row.expect("a deletion").is_some()));
    db.db.check().await.expect("a consistent database");
}
