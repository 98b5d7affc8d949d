//! Rows after an upload.

use futures_util::future;

use super::{Engine, TestDb, each_engine, entry, in_scope, owner};
use crate::{
    error::ErrorKind,
    media::{FailureReason, ListOptions, MediaStats, MediaStatus, Metadata},
    owner::Scopes,
    store::db::NewMedia,
};

async fn insert_get_and_list_return_the_same_row(engine: Engine) {
    let (db, ana) =
        (TestDb::new(engine).await, owner("ana").with_tenant("acme").expect("a tenant"));
    let full = entry(&ana, "full");
    let bare = NewMedia {
        hash: crate::id::ContentHash::of(b"bare"),
        size: 0,
        mime_type: String::new(),
        file_name: None,
        status: MediaStatus::Processing,
        metadata: None,
        exif: None,
        ..full.clone()
    };
    for entry in [full, bare] {
        let row = db.insert(&entry).await;
        assert_eq!(row.owner, entry.owner);
        assert_eq!((row.hash, row.size), (entry.hash, entry.size));
        assert_eq!((&row.mime_type, &row.file_name), (&entry.mime_type, &entry.file_name));
        assert_eq!((row.status, &row.metadata), (entry.status, &entry.metadata));
        assert_eq!(row.exif, entry.exif);
        assert_eq!(db.get(&row.id).await.as_ref(), Some(&row));
        assert_eq!(db.list(&ana, ListOptions::new()).await.first(), Some(&row));
    }
}

async fn a_repeated_upload_keeps_its_row_and_adds_the_scope(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let first = entry(&ana, "cat");
    let row = db.insert(&first).await;
    let renamed = NewMedia { file_name: None, status: MediaStatus::Processing, ..first.clone() };
    for again in [first.clone(), renamed, in_scope(&first, "wardrobe"), in_scope(&first, "me")] {
        assert_eq!(db.insert(&again).await, row);
        assert_eq!(db.stats(&ana).await, MediaStats::new(1, 3));
    }
    for (name, owned) in [("me", true), ("wardrobe", true), ("comic", false)] {
        let scopes = Scopes::of([name]).expect("a scope");
        let found = db.owned(&ana, &scopes, std::slice::from_ref(&row.id)).await;
        assert_eq!(found.len(), usize::from(owned), "{name}");
    }
}

async fn a_repeated_upload_repairs_a_failed_row(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let good = entry(&ana, "cat");
    let reason = Some(FailureReason::TooLarge);
    let bad = NewMedia {
        status: MediaStatus::Failed,
        failure_reason: reason,
        metadata: None,
        exif: None,
        ..good.clone()
    };
    let row = db.insert(&bad).await;
    assert_eq!(row.failure_reason, reason);
    let repaired = db.insert(&NewMedia { file_name: None, ..good.clone() }).await;
    assert_eq!(repaired.id, row.id);
    assert_eq!((repaired.created_at, &repaired.file_name), (row.created_at, &row.file_name));
    assert_eq!((repaired.status, repaired.failure_reason), (MediaStatus::Ready, None));
    assert_eq!((&repaired.metadata, &repaired.exif), (&good.metadata, &good.exif));
    // A ready row does not change.
    assert_eq!(db.insert(&bad).await, repaired);
}

async fn p15_rows_of_equal_content_are_independent(engine: Engine) {
    let (db, ana, bob) = (TestDb::new(engine).await, owner("ana"), owner("bob"));
    let first = db.insert(&entry(&ana, "cat")).await;
    let theirs = NewMedia { file_name: None, ..in_scope(&entry(&bob, "cat"), "comic") };
    let second = db.insert(&theirs).await;
    assert_ne!(second.id, first.id);
    assert_eq!(second.file_name, None);
    for (owner, row) in [(&ana, &first), (&bob, &second)] {
        assert_eq!(db.list(owner, ListOptions::new()).await, std::slice::from_ref(row));
        assert_eq!(db.stats(owner).await, MediaStats::new(1, 3));
    }
    db.db.delete(&ana, &first.id).await.expect("a deletion");
    assert_eq!(db.get(&second.id).await, Some(second));
}

async fn an_insert_over_the_quota_is_refused(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let insert = async |content: &str, quota| {
        db.try_insert(entry(&ana, content), Some(quota)).await.map_err(|error| error.kind())
    };
    assert_eq!(insert("12345", 4).await, Err(ErrorKind::TooLarge));
    assert_eq!(db.stats(&ana).await, MediaStats::default());
    let first = insert("12345", 5).await.expect("it fits");
    assert_eq!(insert("6", 5).await, Err(ErrorKind::TooLarge));
    // Existing content needs no quota, even over the quota.
    assert_eq!(insert("12345", 0).await, Ok(first));
    assert_eq!(insert("6", 6).await.map(|row| row.size), Ok(1));
    assert_eq!(insert("7", u64::MAX).await.map(|row| row.size), Ok(1));
    assert_eq!(db.stats(&ana).await, MediaStats::new(3, 7));
    assert_eq!(db.list(&ana, ListOptions::new()).await.len(), 3);
}

async fn r03_equal_inserts_at_once_are_one_row(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let cat = entry(&ana, "cat");
    let inserts = (0..64).map(|_| db.insert(&cat));
    let rows = future::join_all(inserts).await;
    assert!(rows.iter().all(|row| *row == rows[0]));
    assert_eq!(db.list(&ana, ListOptions::new()).await, rows[..1]);
    assert_eq!(db.stats(&ana).await, MediaStats::new(1, 3));
}

async fn processing_media_are_listed_until_done(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let metadata = Some(Metadata::new(3, 4));
    let begun = NewMedia {
        status: MediaStatus::Processing,
        metadata: metadata.clone(),
        ..entry(&ana, "1")
    };
    let first = db.insert(&begun).await;
    let other = NewMedia { hash: crate::id::ContentHash::of(b"2"), ..begun.clone() };
    let second = db.insert(&other).await;
    db.insert(&entry(&ana, "ready")).await;
    let processing = async |limit| db.db.processing(limit).await.expect("a list");
    assert_eq!(processing(9).await, [first.id.clone(), second.id.clone()]);
    assert_eq!(processing(1).await, std::slice::from_ref(&first.id));

    let reason = Some(FailureReason::Unreadable);
    let set =
        async |id, status, reason| db.db.set_status(id, status, reason).await.expect("a change");
    assert!(set(&first.id, MediaStatus::Ready, None).await);
    assert!(set(&second.id, MediaStatus::Failed, reason).await);
    assert_eq!(processing(9).await, []);
    let row = db.get(&first.id).await.expect("it exists");
    assert_eq!((row.status, &row.metadata), (MediaStatus::Ready, &metadata));
    // A status change keeps the metadata.
    assert!(set(&first.id, MediaStatus::Failed, reason).await);
    let failed = db.get(&first.id).await.expect("it exists");
    assert_eq!((failed.metadata, failed.failure_reason), (metadata, reason));
    assert!(!set(&crate::id::MediaId::random(), MediaStatus::Ready, None).await);
}

each_engine! {
    insert_get_and_list_return_the_same_row,
    a_repeated_upload_keeps_its_row_and_adds_the_scope,
    a_repeated_upload_repairs_a_failed_row,
    p15_rows_of_equal_content_are_independent,
    an_insert_over_the_quota_is_refused,
    r03_equal_inserts_at_once_are_one_row,
    processing_media_are_listed_until_done,
}
