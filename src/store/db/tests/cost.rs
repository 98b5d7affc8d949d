//! Cost of queries as an owner's library grows. Run by hand, in release mode:
//! `cargo test --release --all-features --lib db::tests::cost -- --ignored --nocapture`

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions as _, Connection as _, query, sqlite::SqliteConnectOptions};

use super::{Engine, TestDb, entry, owner};
use crate::{
    id::MediaId,
    media::ListOptions,
    owner::{Owner, Scopes},
    ownership::OwnershipQuestion,
};

const ROUNDS: usize = 4_000;

/// Adds rows to the only owner, faster than by uploads, and returns some of the ids.
pub(super) async fn grow(path: &Path, rows: i64) -> Vec<MediaId> {
    let mut conn = SqliteConnectOptions::new().filename(path).connect().await.expect("a database");
    for sql in [
        "WITH RECURSIVE new (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM new WHERE n < ?1)
         INSERT INTO media (id, owner, arrival, hash, size, mime_type, file_name, status, created_at)
         SELECT printf('%s-%s-4%s-8%s-%s', lower(hex(randomblob(4))), lower(hex(randomblob(2))),
                    substr(lower(hex(randomblob(2))), 2), substr(lower(hex(randomblob(2))), 2),
                    lower(hex(randomblob(6)))),
             1, n + 1, randomblob(32), 1000, 'image/jpeg', 'IMG_0001.JPG', 'ready', n FROM new",
        "INSERT INTO refs SELECT id, 'me', 1, arrival FROM media WHERE owner = 1 AND arrival > 1",
        "INSERT INTO contents SELECT hash, generation, size, 1, 0 FROM media
         WHERE owner = 1 AND arrival > 1",
    ] {
        query(sql).bind(rows).execute(&mut conn).await.expect("rows");
    }
    let ids = query(
        "SELECT id FROM media WHERE number IN (
            SELECT 1 + abs(random()) % ?1 FROM media LIMIT 8192
        ) ORDER BY random()",
    )
    .bind(rows)
    .fetch_all(&mut conn)
    .await
    .expect("ids");
    conn.close().await.expect("closed");
    let text = |row| sqlx::Row::get::<String, _>(row, 0);
    ids.iter().map(|row| MediaId::from_trusted(text(row)).expect("an id")).collect()
}

async fn grown(rows: i64) -> (TestDb, Owner, Vec<MediaId>) {
    let (db, ana) = (TestDb::new(Engine::Sqlite).await, owner("ana"));
    db.insert(&entry(&ana, "first")).await;
    let ids = grow(&db.folder.path().join("db"), rows - 1).await;
    (db, ana, ids)
}

/// The median and the 99th percentile.
async fn percentiles(mut once: impl AsyncFnMut(usize)) -> (Duration, Duration) {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let begin = Instant::now();
        once(round).await;
        times.push(begin.elapsed());
    }
    times.sort();
    (times[ROUNDS / 2], times[ROUNDS * 99 / 100])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark"]
async fn questions() {
    for rows in [100, 10_000, 1_000_000] {
        let (db, ana, ids) = grown(rows).await;
        for (what, scopes) in
            [("any", Scopes::any()), ("two", Scopes::of(["me", "you"]).expect("scopes"))]
        {
            for count in [1, 16, 256] {
                let count = count.min(ids.len());
                let spread = percentiles(async |round| {
                    let from = round * count % (ids.len() - count + 1);
                    let asked = &ids[from..from + count];
                    let question = OwnershipQuestion::new(&ana, &scopes, asked);
                    let owned = db.db.owned(&question).await.expect("an answer");
                    assert_eq!(owned.len(), count);
                })
                .await;
                println!("{rows:>8} rows, {what} scopes, {count:>3} ids: {spread:?}");
            }
        }
        for (what, options) in [
            ("newest 50", ListOptions::new()),
            ("in a scope", ListOptions::new().with_scopes(Scopes::of(["me"]).expect("a scope"))),
            ("from the middle", ListOptions::new().with_after((rows / 2).to_string())),
        ] {
            let spread = percentiles(async |_| {
                db.db.list(&ana, &options).await.expect("a page");
            })
            .await;
            println!("{rows:>8} rows, {what}: {spread:?}");
        }
        let spread = percentiles(async |_| assert!(db.stats(&ana).await.count > 0)).await;
        println!("{rows:>8} rows, stats: {spread:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark"]
async fn changes() {
    let db = TestDb::new(Engine::Sqlite).await;
    for at_once in [1, 8, 64] {
        let begin = Instant::now();
        let uploads = (0..at_once).map(async |line| {
            let ana = owner(&format!("ana {line}"));
            for n in 0..200 {
                let entry = entry(&ana, &format!("{line} {n}"));
                db.insert(&entry).await;
            }
        });
        futures_util::future::join_all(uploads).await;
        let each = begin.elapsed() / (at_once * 200);
        println!("{at_once} at once: {each:?} each");
    }
    // What one durable write costs here.
    let path = db.folder.path().join("plain");
    let mut file = std::fs::File::create(path).expect("a file");
    let begin = Instant::now();
    for _ in 0..200 {
        std::io::Write::write_all(&mut file, &[0; 4096]).expect("a write");
        file.sync_data().expect("a sync");
    }
    println!("a page written and synced: {:?}", begin.elapsed() / 200);
}
