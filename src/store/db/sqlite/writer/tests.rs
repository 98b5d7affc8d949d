//! When a commit is shared, and what a fault in it undoes.

use std::time::Duration;

use futures_util::future;
use sqlx::Row as _;
use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;
use crate::store::db::sqlite::open;

/// Reads how far the commit that it is in goes: 2 waits for the disk, 1 does not.
struct Probe<const DURABLE: bool>;

impl<const DURABLE: bool> Operation for Probe<DURABLE> {
    type Answer = i64;
    const DURABLE: bool = DURABLE;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<i64, Fault> {
        Ok(query("PRAGMA synchronous").fetch_one(conn).await?.try_get(0)?)
    }
}

/// Does something, and then fails or not.
struct Script(&'static str, bool);

impl Operation for Script {
    type Answer = ();
    const DURABLE: bool = true;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), Fault> {
        execute(conn, self.0).await?;
        if self.1 { Ok(()) } else { Err(Error::new(ErrorKind::TooLarge, "refused").into()) }
    }
}

const ADD: &str = "INSERT INTO removed (media, since) VALUES (hex(randomblob(8)), 1)";

async fn writer(folder: &TempDir) -> Writer {
    let options = open::options(&folder.path().join("db"), Duration::ZERO);
    open::prepare(&options).await.expect("a db");
    Writer::spawn(options)
}

async fn added(folder: &TempDir) -> i64 {
    let options = open::options(&folder.path().join("db"), Duration::ZERO);
    let mut conn = open::reader(&options).await.expect("a connection");
    let row = query("SELECT count(*) FROM removed").fetch_one(&mut conn).await;
    row.expect("a count").get(0)
}

#[tokio::test]
async fn r04_what_is_refused_half_way_is_undone_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder).await;
    let scripts = (0..9).map(|n| writer.run(Script(ADD, n % 3 != 0)));
    for (n, done) in future::join_all(scripts).await.into_iter().enumerate() {
        let kind = done.map_err(|error| error.kind());
        assert_eq!(kind, if n % 3 == 0 { Err(ErrorKind::TooLarge) } else { Ok(()) });
    }
    assert_eq!(added(&folder).await, 6);
}

#[tokio::test]
async fn r04_what_cannot_be_undone_alone_undoes_all_that_shared_it_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder).await;
    writer.run(Script(ADD, true)).await.expect("no fault");
    // As a full disk does, and as nothing does that leaves the transaction open.
    for broken in ["ROLLBACK", "RELEASE operation"] {
        let scripts = [Script(ADD, true), Script(broken, false), Script(ADD, true)];
        let done = future::join_all(scripts.map(|script| writer.run(script))).await;
        assert!(done.iter().all(Result::is_err), "{done:?}");
        assert_eq!(added(&folder).await, 1);
    }
    writer.run(Script(ADD, true)).await.expect("it works again");
    assert_eq!(added(&folder).await, 2);
}

#[tokio::test]
async fn r01_an_answer_waits_for_the_disk_where_it_must() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = writer(&folder).await;
    for _ in 0..3 {
        let both = future::join(writer.run(Probe::<true>), writer.run(Probe::<false>)).await;
        assert_eq!((both.0.expect("no fault"), both.1.expect("no fault")), (2, 1));
    }
}
