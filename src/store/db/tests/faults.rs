//! Faults, and recovery once they end.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use futures_util::future;
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, raw_sql, sqlite::SqliteConnectOptions,
};
use tokio::task::yield_now;

use super::{Engine, TestDb, entry, owner};
use crate::{
    error::{Error, ErrorKind},
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats},
    owner::Owner,
    store::db::{NewMedia, SqliteDatabase},
};

/// A database that does not wait for locks, so that no test does.
async fn without_busy_timeout(
    limits: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
) -> TestDb {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteDatabase::options(&folder.path().join("db"), Duration::ZERO);
    let db = SqliteDatabase::open_with(limits(options)).await.expect("a database");
    TestDb { folder, url: None, db: Arc::new(db) }
}

async fn another_process(folder: &Path, sql: &'static str) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("db"));
    let mut conn = options.connect().await.expect("a connection");
    raw_sql(sql).execute(&mut conn).await.expect("a lock");
    conn
}

fn says(error: &Error, kind: ErrorKind, what: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(what), "{error}");
    assert!(std::error::Error::source(error).is_some(), "the cause is lost");
}

#[tokio::test]
async fn r04_locked_database_is_unavailable_until_unlocked() {
    let (db, ana) = (without_busy_timeout(|options| options).await, owner("ana"));
    let row = db.insert(&entry(&ana, "cat")).await;
    let other = another_process(db.folder.path(), "BEGIN IMMEDIATE").await;
    for attempt in [
        db.db.insert(entry(&ana, "cat"), row.generation, None).await.map(drop),
        db.db.reserve(ContentHash::of(b"dog"), 3).await.map(drop),
        db.db.claim_unreferenced(Duration::ZERO, 1).await.map(drop),
        db.db.delete(&ana, &row.id).await.map(drop),
    ] {
        says(&attempt.expect_err("it is locked"), ErrorKind::Unavailable, "locked");
    }
    assert_eq!(db.get(&row.id).await, Some(row.clone()), "reading goes on");

    other.close().await.expect("closed");
    db.insert(&entry(&ana, "dog")).await;
    assert_eq!(db.stats(&ana).await, MediaStats::new(2, 6));
}

#[tokio::test]
async fn r04_locked_database_is_refused_at_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let made = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await;
    made.expect("a database").close().await.expect("closed");
    let other = another_process(folder.path(), "BEGIN EXCLUSIVE").await;
    let options = SqliteDatabase::options(&path, Duration::ZERO);
    let error = SqliteDatabase::open_with(options.clone()).await.expect_err("it is locked");
    says(&error, ErrorKind::Unavailable, "locked");
    other.close().await.expect("closed");
    SqliteDatabase::open_with(options).await.expect("it is free");
}

#[tokio::test]
async fn r04_full_disk_is_unavailable_until_space_is_free() {
    let (db, ana) = (
        without_busy_timeout(|options| options.pragma("max_page_count", "80")).await,
        owner("ana"),
    );
    let insert = async |n: usize| db.try_insert(entry(&ana, &n.to_string()), None).await;
    let mut rows = Vec::new();
    let full = loop {
        match insert(rows.len()).await {
            Ok(row) => rows.push(row),
            Err(error) => break error,
        }
        assert!(rows.len() < 10_000, "the disk is never full");
    };
    says(&full, ErrorKind::Unavailable, "full");
    // No partial write.
    assert_eq!(db.stats(&ana).await.count, rows.len() as u64);
    db.db.check().await.expect("a consistent database");
    rows.reverse();
    assert_eq!(db.list(&ana, ListOptions::new()).await, rows);

    let other = another_process(db.folder.path(), "DELETE FROM media WHERE number > 20").await;
    other.close().await.expect("closed");
    insert(rows.len()).await.expect("there is room");
    db.db.check().await.expect("a consistent database");
}

#[tokio::test]
async fn a_failed_write_does_not_roll_back_its_batch() {
    let (db, ana, bob) = (TestDb::new(Engine::Sqlite).await, owner("ana"), owner("bob"));
    let inserts = (0..50).map(|n| {
        // Every second one is over the quota, and some are of owners who had nothing before.
        let whose = if n % 4 < 2 { &ana } else { &bob };
        let quota = if n % 2 == 0 { u64::MAX } else { 0 };
        db.try_insert(entry(whose, &format!("{n}")), Some(quota))
    });
    for (n, inserted) in future::join_all(inserts).await.into_iter().enumerate() {
        assert_eq!(inserted.is_ok(), n % 2 == 0, "{n}: {inserted:?}");
    }
    assert_eq!((db.stats(&ana).await.count, db.stats(&bob).await.count), (13, 12));
    db.db.check().await.expect("a consistent database");
}

/// Polls a future for a number of turns, and then drops it.
async fn drop_after<T>(turns: usize, future: impl Future<Output = T>) -> Option<T> {
    let limit = async {
        for _ in 0..turns {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        output = future => Some(output),
        () = limit => None,
    }
}

/// Inserts one after the other, deletes some again, and drops every other call. Returns the acknowledged
/// ids.
async fn dropping_caller(db: Arc<TestDb>, owner: Owner, number: usize) -> Vec<MediaId> {
    let mut kept = Vec::new();
    for n in 0..40 {
        let turns = if n % 2 == 0 { usize::MAX } else { (number * 40 + n) * 7_919 % 4_000 };
        let entry = NewMedia { size: 1, ..entry(&owner, &format!("{number} {n}")) };
        let inserted = drop_after(turns, db.try_insert(entry, None)).await;
        let Some(row) = inserted.transpose().expect("no error") else { continue };
        if n % 4 == 0 {
            // Dropped or not, the row may be deleted.
            let removed = drop_after(turns / 2, db.db.delete(&owner, &row.id)).await;
            assert_ne!(removed.transpose().expect("no error"), Some(None));
        } else {
            kept.push(row.id);
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_write_is_complete_or_absent() {
    let (db, ana) = (Arc::new(TestDb::new(Engine::Sqlite).await), owner("ana"));
    let callers =
        (0..16).map(|number| tokio::spawn(dropping_caller(Arc::clone(&db), ana.clone(), number)));
    let callers: Vec<_> = callers.collect();
    let mut kept = Vec::new();
    for caller in callers {
        kept.append(&mut caller.await.expect("no panic"));
    }
    // The dropped writes are queued before this one.
    db.insert(&NewMedia { size: 1, ..entry(&ana, "last") }).await;
    let listed = db.list(&ana, ListOptions::new().with_limit(500)).await;
    let ids: HashSet<&MediaId> = listed.iter().map(|row| &row.id).collect();
    assert!(kept.iter().all(|id| ids.contains(id)), "an acknowledged row is missing");
    assert!(kept.len() < ids.len(), "no dropped write was applied");
    let count = listed.len() as u64;
    assert_eq!(db.stats(&ana).await, MediaStats::new(count, count));
    db.db.check().await.expect("a consistent database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_read_leaves_its_connection_usable() {
    let (db, ana) = (TestDb::new(Engine::Sqlite).await, owner("ana"));
    let row = db.insert(&entry(&ana, "cat")).await;
    let turns = |n: usize| if n.is_multiple_of(2) { usize::MAX } else { n % 13 };
    let reads = (0..400).map(async |n| drop_after(turns(n), db.db.get(&row.id)).await);
    let answers = future::join_all(reads).await;
    assert!(answers.iter().any(Option::is_none), "no read was dropped");
    for answer in answers.into_iter().flatten() {
        assert_eq!(answer.expect("no error").as_ref(), Some(&row));
    }
    for _ in 0..10 {
        assert_eq!(db.get(&row.id).await.as_ref(), Some(&row));
    }
}
