//! What fails, and what then works again.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use futures_util::future;
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, raw_sql, sqlite::SqliteConnectOptions,
};
use tokio::task::yield_now;

use super::{Lab, entry, owner};
use crate::{
    error::{Error, ErrorKind},
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats},
    owner::Owner,
    store::db::{Database as _, Entry, SqliteDatabase},
};

/// A db that does not wait for locks, so that no test does.
async fn impatient(limits: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions) -> Lab {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteDatabase::options(&folder.path().join("db"), Duration::ZERO);
    let db = SqliteDatabase::open_with(limits(options)).await.expect("a db");
    Lab { folder, db }
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
async fn r04_a_locked_database_is_unavailable_until_it_is_unlocked() {
    let (lab, ana) = (impatient(|options| options).await, owner("ana"));
    let row = lab.insert(&entry(&ana, "cat")).await;
    let other = another_process(lab.folder.path(), "BEGIN IMMEDIATE").await;
    for attempt in [
        lab.db.insert(entry(&ana, "dog"), None).await.map(drop),
        lab.db.mark_pending(ContentHash::of(b"dog")).await,
        lab.db.delete(&ana, &row.id).await.map(drop),
    ] {
        says(&attempt.expect_err("it is locked"), ErrorKind::Unavailable, "locked");
    }
    assert_eq!(lab.get(&row.id).await, Some(row.clone()), "reading goes on");

    other.close().await.expect("closed");
    lab.insert(&entry(&ana, "dog")).await;
    assert_eq!(lab.stats(&ana).await, MediaStats::new(2, 6));
}

#[tokio::test]
async fn r04_a_locked_database_is_not_opened_and_says_so() {
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
async fn r04_a_full_disk_is_unavailable_until_there_is_room() {
    let (lab, ana) =
        (impatient(|options| options.pragma("max_page_count", "80")).await, owner("ana"));
    let insert = async |n: usize| lab.db.insert(entry(&ana, &n.to_string()), None).await;
    let mut rows = Vec::new();
    let full = loop {
        match insert(rows.len()).await {
            Ok(row) => rows.push(row),
            Err(error) => break error,
        }
        assert!(rows.len() < 10_000, "it is never full");
    };
    says(&full, ErrorKind::Unavailable, "no room");
    // Nothing half done.
    assert_eq!(lab.stats(&ana).await.count, rows.len() as u64);
    lab.db.check().await.expect("everything fits together");
    rows.reverse();
    assert_eq!(lab.list(&ana, ListOptions::new()).await, rows);

    let other = another_process(lab.folder.path(), "DELETE FROM media WHERE number > 20").await;
    other.close().await.expect("closed");
    insert(rows.len()).await.expect("there is room");
    lab.db.check().await.expect("everything fits together");
}

#[tokio::test]
async fn one_that_fails_does_not_undo_those_that_share_its_commit() {
    let (lab, ana, bob) = (Lab::new().await, owner("ana"), owner("bob"));
    let inserts = (0..50).map(|n| {
        // Every second one is over the quota, and some are of owners who had nothing before.
        let whose = if n % 4 < 2 { &ana } else { &bob };
        let quota = if n % 2 == 0 { u64::MAX } else { 0 };
        lab.db.insert(entry(whose, &format!("{n}")), Some(quota))
    });
    for (n, inserted) in future::join_all(inserts).await.into_iter().enumerate() {
        assert_eq!(inserted.is_ok(), n % 2 == 0, "{n}: {inserted:?}");
    }
    assert_eq!((lab.stats(&ana).await.count, lab.stats(&bob).await.count), (13, 12));
    lab.db.check().await.expect("everything fits together");
}

/// Asks a future to go on a number of times, and then gives it up.
async fn give_up_after<T>(turns: usize, future: impl Future<Output = T>) -> Option<T> {
    let patience = async {
        for _ in 0..turns {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        output = future => Some(output),
        () = patience => None,
    }
}

/// Uploads one after the other, removes some of it again, and goes away from every other call. Returns
/// what it was told is there.
async fn impatient_caller(lab: Arc<Lab>, owner: Owner, number: usize) -> Vec<MediaId> {
    let mut kept = Vec::new();
    for n in 0..40 {
        let turns = if n % 2 == 0 { usize::MAX } else { (number * 40 + n) * 7_919 % 4_000 };
        let entry = Entry { size: 1, ..entry(&owner, &format!("{number} {n}")) };
        let inserted = give_up_after(turns, lab.db.insert(entry, None)).await;
        let Some(row) = inserted.transpose().expect("no fault") else { continue };
        if n % 4 == 0 {
            // Given up or not, it may be gone.
            let removed = give_up_after(turns / 2, lab.db.delete(&owner, &row.id)).await;
            assert_ne!(removed.transpose().expect("no fault"), Some(None));
        } else {
            kept.push(row.id);
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_go_away_leave_changes_whole_or_absent() {
    let (lab, ana) = (Arc::new(Lab::new().await), owner("ana"));
    let callers =
        (0..16).map(|number| tokio::spawn(impatient_caller(Arc::clone(&lab), ana.clone(), number)));
    let callers: Vec<_> = callers.collect();
    let mut kept = Vec::new();
    for caller in callers {
        kept.append(&mut caller.await.expect("no panic"));
    }
    // Nobody waits for what was given up, so wait behind it.
    lab.insert(&Entry { size: 1, ..entry(&ana, "last") }).await;
    let listed = lab.list(&ana, ListOptions::new().with_limit(500)).await;
    let ids: HashSet<&MediaId> = listed.iter().map(|row| &row.id).collect();
    assert!(kept.iter().all(|id| ids.contains(id)), "an acknowledged row is gone");
    assert!(kept.len() < ids.len(), "nothing was given up half way");
    let count = listed.len() as u64;
    assert_eq!(lab.stats(&ana).await, MediaStats::new(count, count));
    lab.db.check().await.expect("everything fits together");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_who_go_away_leave_the_connections_usable() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let row = lab.insert(&entry(&ana, "cat")).await;
    let turns = |n: usize| if n.is_multiple_of(2) { usize::MAX } else { n % 13 };
    let reads = (0..400).map(async |n| give_up_after(turns(n), lab.db.get(&row.id)).await);
    let answers = future::join_all(reads).await;
    assert!(answers.iter().any(Option::is_none), "nobody went away");
    for answer in answers.into_iter().flatten() {
        assert_eq!(answer.expect("no fault").as_ref(), Some(&row));
    }
    for _ in 0..10 {
        assert_eq!(lab.get(&row.id).await.as_ref(), Some(&row));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_works_on_a_content() {
    let lab = Lab::new().await;
    let (cat, dog) = (ContentHash::of(b"cat"), ContentHash::of(b"dog"));
    let held = lab.db.lock(cat).await.expect("a lock");
    lab.db.lock(dog).await.map(drop).expect("another content");
    assert!(give_up_after(20, lab.db.lock(cat)).await.is_none());
    drop(held);
    lab.db.lock(cat).await.map(drop).expect("it is free");
}
