//! Opening, closing, and what is found in between.

use std::{fs, path::Path};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, raw_sql, sqlite::SqliteConnectOptions,
};

use super::{Lab, entry, owner};
use crate::{
    error::{Error, ErrorKind},
    store::db::{Database as _, SqliteDatabase},
};

/// Does something to a database behind the db's back.
async fn tamper(path: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = options.connect().await.expect("a database");
    raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.expect("a statement");
    conn.close().await.expect("closed");
}

async fn refused(path: &Path) -> Error {
    SqliteDatabase::open(path).await.expect_err("it was opened")
}

#[tokio::test]
async fn r01_all_is_there_after_closing_and_opening() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let row = lab.insert(&entry(&ana, "cat")).await;
    lab.db.mark_pending(crate::id::ContentHash::of(b"dog")).await.expect("a note");
    lab.db.close().await.expect("closed");
    lab.db.close().await.expect("closed twice");
    for kind in [
        lab.db.insert(entry(&ana, "late"), None).await.map(drop),
        lab.db.get(&row.id).await.map(drop),
    ] {
        assert_eq!(kind.expect_err("it is closed").kind(), ErrorKind::Unavailable);
    }
    let again = Lab {
        db: SqliteDatabase::open(lab.folder.path().join("db")).await.expect("a db"),
        folder: lab.folder,
    };
    assert_eq!(again.get(&row.id).await, Some(row));
    assert_eq!(again.orphans().await.len(), 1);
    again.db.check().await.expect("everything fits together");
}

#[tokio::test]
async fn what_was_handed_in_before_closing_is_done() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let path = lab.folder.path().join("db");
    let inserts = (0..300).map(|n| lab.db.insert(entry(&ana, &n.to_string()), None));
    let inserts = futures_util::future::join_all(inserts);
    let (inserted, closed) = futures_util::future::join(inserts, lab.db.close()).await;
    closed.expect("closed");
    let inserted = inserted.into_iter().filter_map(Result::ok).count() as u64;
    assert!(inserted > 0);
    let again = SqliteDatabase::open(path).await.expect("a db");
    assert_eq!(again.stats(&ana).await.expect("a count").count, inserted);
}

#[tokio::test]
async fn a_catalog_of_a_newer_version_says_so_and_is_left_alone() {
    let lab = Lab::new().await;
    lab.db.close().await.expect("closed");
    let path = lab.folder.path().join("db");
    tamper(&path, "PRAGMA user_version = 99").await;
    let before = fs::read(&path).expect("a file");
    let error = refused(&path).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(text.contains("newer version") && text.contains("99"), "{text}");
    assert!(fs::read(&path).expect("a file") == before, "it was changed");
}

#[tokio::test]
async fn a_database_of_something_else_says_so_and_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for (n, sql) in
        ["CREATE TABLE media (id)", "PRAGMA application_id = 1", "PRAGMA user_version = 1"]
            .iter()
            .enumerate()
    {
        let path = folder.path().join(n.to_string());
        tamper(&path, sql).await;
        let before = fs::read(&path).expect("a file");
        let error = refused(&path).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{sql}");
        assert!(error.to_string().contains("something else"), "{error}");
        assert!(fs::read(&path).expect("a file") == before, "it was changed by {sql}");
    }
}

#[tokio::test]
async fn a_damaged_file_says_so_and_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let garbage = b"not a database ".repeat(1_000);
    fs::write(&path, &garbage).expect("a file");
    let error = refused(&path).await;
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(fs::read(&path).expect("a file") == garbage, "it was changed");
}

#[tokio::test]
async fn what_cannot_be_opened_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().to_owned(), folder.path().join("nowhere/db")] {
        let error = refused(&path).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("cannot be opened"), "{error}");
    }
}

#[tokio::test]
async fn r05_a_check_finds_flipped_bytes_and_wrong_counts() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    for n in 0..50 {
        lab.insert(&entry(&ana, &n.to_string())).await;
    }
    lab.db.check().await.expect("all is well");
    let path = lab.folder.path().join("db");
    tamper(&path, "UPDATE owners SET bytes = bytes + 1").await;
    let error = lab.db.check().await.expect_err("a wrong count");
    assert_eq!(error.kind(), ErrorKind::Integrity);
    tamper(&path, "UPDATE owners SET bytes = bytes - 1").await;
    lab.db.check().await.expect("all is well again");

    lab.db.close().await.expect("closed");
    let mut bytes = fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0xa5);
    fs::write(&path, bytes).expect("a file");
    let again = SqliteDatabase::open(&path).await.expect("the first page is whole");
    let error = again.check().await.expect_err("a page is broken");
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("damaged"), "{error}");
}
