//! Opening, closing and verifying the file.

use std::{fs, path::Path, sync::Arc};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, raw_sql, sqlite::SqliteConnectOptions,
};

use super::{Engine, TestDb, entry, owner};
use crate::{
    error::{Error, ErrorKind},
    store::db::{Database as _, ListQueries as _, SqliteDatabase},
};

/// Executes SQL on the file from outside.
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
async fn r01_everything_is_there_after_reopening() {
    let (db, ana) = (TestDb::new(Engine::Sqlite).await, owner("ana"));
    let row = db.insert(&entry(&ana, "cat")).await;
    db.reserve("dog").await;
    db.db.close().await.expect("closed");
    db.db.close().await.expect("closed twice");
    for kind in [
        db.try_insert(entry(&ana, "late"), None).await.map(drop),
        db.db.get(&row.id).await.map(drop),
    ] {
        assert_eq!(kind.expect_err("it is closed").kind(), ErrorKind::Unavailable);
    }
    let again = TestDb {
        url: None,
        db: Arc::new(SqliteDatabase::open(db.folder.path().join("db")).await.expect("a database")),
        folder: db.folder,
    };
    assert_eq!(again.get(&row.id).await, Some(row));
    assert_eq!(again.unreferenced().await.len(), 1);
    again.db.check().await.expect("a consistent database");
}

#[tokio::test]
async fn writes_submitted_before_closing_are_applied() {
    let (db, ana) = (TestDb::new(Engine::Sqlite).await, owner("ana"));
    let path = db.folder.path().join("db");
    let inserts = (0..300).map(|n| db.try_insert(entry(&ana, &n.to_string()), None));
    let inserts = futures_util::future::join_all(inserts);
    let (inserted, closed) = futures_util::future::join(inserts, db.db.close()).await;
    closed.expect("closed");
    let inserted = inserted.into_iter().filter_map(Result::ok).count() as u64;
    assert!(inserted > 0);
    let again = SqliteDatabase::open(path).await.expect("a database");
    assert_eq!(again.stats(&ana).await.expect("a count").count, inserted);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_unchanged() {
    let db = TestDb::new(Engine::Sqlite).await;
    db.db.close().await.expect("closed");
    let path = db.folder.path().join("db");
    tamper(&path, "PRAGMA user_version = 99").await;
    let before = fs::read(&path).expect("a file");
    let error = refused(&path).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(text.contains("newer version") && text.contains("99"), "{text}");
    assert!(fs::read(&path).expect("a file") == before, "it was changed");
}

#[tokio::test]
async fn a_foreign_database_is_refused_and_left_unchanged() {
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
        assert!(error.to_string().contains("another program"), "{error}");
        assert!(fs::read(&path).expect("a file") == before, "it was changed by {sql}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_unchanged() {
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
async fn a_path_that_cannot_be_opened_is_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().to_owned(), folder.path().join("nowhere/db")] {
        let error = refused(&path).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("cannot be opened"), "{error}");
    }
}

#[tokio::test]
async fn r05_check_finds_flipped_bytes_and_wrong_totals() {
    let (db, ana) = (TestDb::new(Engine::Sqlite).await, owner("ana"));
    for n in 0..50 {
        db.insert(&entry(&ana, &n.to_string())).await;
    }
    db.db.check().await.expect("a consistent database");
    let path = db.folder.path().join("db");
    for (wrong, right) in [
        ("UPDATE owners SET bytes = bytes + 1", "UPDATE owners SET bytes = bytes - 1"),
        ("UPDATE contents SET refs = refs + 1", "UPDATE contents SET refs = refs - 1"),
        ("UPDATE media SET generation = -generation", "UPDATE media SET generation = -generation"),
        ("INSERT INTO dead SELECT hash, generation, 0 FROM contents", "DELETE FROM dead"),
    ] {
        tamper(&path, wrong).await;
        let error = db.db.check().await.expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::Integrity);
        tamper(&path, right).await;
    }
    db.db.check().await.expect("a consistent database");

    db.db.close().await.expect("closed");
    let mut bytes = fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0xa5);
    fs::write(&path, bytes).expect("a file");
    let again = SqliteDatabase::open(&path).await.expect("the first page is whole");
    let error = again.check().await.expect_err("a page is broken");
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().contains("damaged"), "{error}");
}
