//! Group commit: sharing, rollback of one write and of a batch, durability.

use std::time::Duration;

use futures_util::future;
use sqlx::Row as _;
use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;
use crate::store::db::sqlite::migrate;

/// Returns the `synchronous` level of the commit that it is part of: 2 syncs to the disk, 1 does not.
async fn level(writer: &Writer, durability: Durability) -> i64 {
    let level = writer.run(durability, |conn| {
        Box::pin(async { Ok(query("PRAGMA synchronous").fetch_one(conn).await?.try_get(0)?) })
    });
    level.await.expect("a level")
}

/// Executes a statement, and then fails if `refused`.
async fn script(writer: &Writer, sql: &'static str, refused: bool) -> Result<()> {
    let script = writer.run(Durability::Immediate, move |conn| {
        Box::pin(async move {
            execute(conn, sql).await?;
            let refusal = Error::new(ErrorKind::TooLarge, "refused");
            if refused { Err(refusal.into()) } else { Ok(()) }
        })
    });
    script.await
}

const ADD: &str = "INSERT INTO removed (media, since) VALUES (hex(randomblob(8)), 1)";

async fn writer(folder: &TempDir) -> Writer {
    let options = migrate::options(&folder.path().join("db"), Duration::ZERO);
    migrate::prepare(&options).await.expect("a database");
    Writer::spawn(options)
}

async fn added(folder: &TempDir) -> i64 {
    let options = migrate::options(&folder.path().join("db"), Duration::ZERO);
    let mut conn = migrate::reader(&options).await.expect("a connection");
    let row = query("SELECT count(*) FROM removed").fetch_one(&mut conn).await;
    row.expect("a count").get(0)
}

#[tokio::test]
async fn r04_a_refused_write_is_rolled_back_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder).await;
    let scripts = (0..9).map(|n| script(&writer, ADD, n % 3 == 0));
    for (n, done) in future::join_all(scripts).await.into_iter().enumerate() {
        let kind = done.map_err(|error| error.kind());
        assert_eq!(kind, if n % 3 == 0 { Err(ErrorKind::TooLarge) } else { Ok(()) });
    }
    assert_eq!(added(&folder).await, 6);
}

#[tokio::test]
async fn r04_a_lost_savepoint_rolls_back_its_batch_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder).await;
    script(&writer, ADD, false).await.expect("a commit");
    // A full disk rolls back the whole transaction; a released savepoint leaves it open.
    for broken in ["ROLLBACK", "RELEASE command"] {
        let scripts = [(ADD, false), (broken, true), (ADD, false)];
        let scripts = scripts.map(|(sql, refused)| script(&writer, sql, refused));
        let done = future::join_all(scripts).await;
        assert!(done.iter().all(Result::is_err), "{done:?}");
        assert_eq!(added(&folder).await, 1);
    }
    script(&writer, ADD, false).await.expect("it works again");
    assert_eq!(added(&folder).await, 2);
}

#[tokio::test]
async fn r01_only_immediate_writes_wait_for_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder).await;
    for _ in 0..3 {
        let both = future::join(
            level(&writer, Durability::Immediate),
            level(&writer, Durability::Deferred),
        );
        assert_eq!(both.await, (2, 1));
    }
}
