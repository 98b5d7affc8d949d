//! Stored renditions.

use std::time::{Duration, SystemTime};

use super::{Engine, TestDb, each_engine, entry, owner, soon};
use crate::{
    id::{ContentHash, MediaId},
    store::db::RenditionRow,
};

fn rendition(key: &str, size: u64, hours_ago: u64) -> RenditionRow {
    let now = SystemTime::UNIX_EPOCH
        + Duration::from_secs(
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs(),
        );
    RenditionRow {
        key: key.to_owned(),
        size,
        hash: ContentHash::of(key.as_bytes()),
        mime_type: "image/webp".to_owned(),
        width: 200,
        height: 100,
        used_at: now - Duration::from_secs(3_600 * hours_ago),
    }
}

async fn keep(db: &TestDb, id: &MediaId, rendition: &RenditionRow) -> bool {
    db.db.keep_rendition(id, rendition.clone()).await.expect("a write")
}

async fn find(db: &TestDb, id: &MediaId, key: &str) -> Option<RenditionRow> {
    db.db.rendition(id, key).await.expect("a query")
}

async fn bytes(db: &TestDb) -> u64 {
    db.db.rendition_bytes().await.expect("a sum")
}

async fn p15_renditions_belong_to_one_row(engine: Engine) {
    let db = TestDb::new(engine).await;
    let ana = db.insert(&entry(&owner("ana"), "cat")).await.id;
    let bob = db.insert(&entry(&owner("bob"), "cat")).await.id;
    let thumb = rendition("thumbnail", 7, 0);
    assert!(keep(&db, &ana, &thumb).await);
    assert_eq!(find(&db, &ana, "thumbnail").await, Some(thumb.clone()));
    assert_eq!(find(&db, &bob, "thumbnail").await, None);
    assert_eq!(find(&db, &ana, "medium").await, None);

    let larger = RenditionRow { size: 9, width: 300, ..thumb };
    assert!(keep(&db, &ana, &larger).await);
    assert_eq!(find(&db, &ana, "thumbnail").await, Some(larger));
    assert_eq!(bytes(&db).await, 9);
    assert!(!keep(&db, &MediaId::random(), &rendition("thumbnail", 1, 0)).await);
    assert_eq!(bytes(&db).await, 9);
}

async fn least_recently_used_is_first_and_touched_hourly(engine: Engine) {
    let db = TestDb::new(engine).await;
    let id = db.insert(&entry(&owner("ana"), "cat")).await.id;
    for (key, hours) in [("b", 2), ("c", 0), ("a", 3)] {
        keep(&db, &id, &rendition(key, 10, hours)).await;
    }
    let order = async |limit| {
        let rows = db.db.least_recently_used(limit).await.expect("a list");
        assert!(rows.iter().all(|(media, _)| *media == id));
        rows.into_iter().map(|(_, row)| row.key).collect::<String>()
    };
    assert_eq!(order(9).await, "abc");
    assert_eq!(order(2).await, "ab");
    for key in ["a", "c"] {
        let row = find(&db, &id, key).await.expect("it exists");
        db.db.touch_rendition(&id, &row).await.expect("a write");
        let now = find(&db, &id, key).await.expect("it exists").used_at;
        assert_eq!(now > row.used_at, key == "a", "{key}");
    }
    assert_eq!(order(9).await, "bca");
}

async fn renditions_of_deleted_media_are_kept_until_forgotten(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let cat = db.insert(&entry(&ana, "cat")).await.id;
    let dog = db.insert(&entry(&ana, "dog")).await.id;
    let bare = db.insert(&entry(&ana, "bare")).await.id;
    for id in [&cat, &dog] {
        keep(&db, id, &rendition("a", 10, 0)).await;
        keep(&db, id, &rendition("b", 10, 0)).await;
    }
    let removed = async || db.db.removed(soon(), 9).await.expect("a list");
    let forget = async |id, key| db.db.forget_renditions(id, key).await.expect("a write");
    assert_eq!(removed().await, []);
    db.db.delete(&ana, &cat).await.expect("a deletion");
    db.db.delete(&ana, &bare).await.expect("a deletion");
    assert_eq!(removed().await, std::slice::from_ref(&cat));
    assert_eq!(find(&db, &cat, "a").await, None, "of deleted media");
    assert_eq!(bytes(&db).await, 40, "files that are there count");
    let earlier = SystemTime::now() - Duration::from_secs(3_600);
    assert_eq!(db.db.removed(earlier, 9).await.expect("a list"), []);

    forget(&cat, Some("a")).await;
    assert_eq!((removed().await, bytes(&db).await), (vec![cat.clone()], 30));
    forget(&cat, None).await;
    assert_eq!((removed().await, bytes(&db).await), (vec![], 20));
    forget(&dog, Some("a")).await;
    assert!(find(&db, &dog, "b").await.is_some());
    db.db.erase_owner(&ana).await.expect("an erasure");
    assert_eq!(removed().await, std::slice::from_ref(&dog));
    assert!(!keep(&db, &dog, &rendition("late", 10, 0)).await);
    db.db.check().await.expect("a consistent database");
}

each_engine! {
    p15_renditions_belong_to_one_row,
    least_recently_used_is_first_and_touched_hourly,
    renditions_of_deleted_media_are_kept_until_forgotten,
}
