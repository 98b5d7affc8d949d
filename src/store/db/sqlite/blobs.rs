//! Garbage collection and verification of blobs.

use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use sqlx::{SqliteConnection, query};

use super::{
    decode::{Columns, each, hash_bytes, json_list, now, to_millis},
    engine::SqliteDatabase,
    error::DbError,
    writer::Durability,
};
use crate::{
    error::Result,
    id::ContentHash,
    store::db::{BlobId, BlobQueries, BlobRow},
};

/// The contents that one call claims. Both statements of a claim see the same rows, because they are in one
/// transaction, and SQLite has one writer.
macro_rules! unreferenced {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM contents WHERE refs = 0 AND since <= ?1 ORDER BY since, hash LIMIT ?2"
        )
    };
}

pub(super) const BURY: &str = concat!(
    "INSERT INTO dead (hash, generation, since) ",
    unreferenced!("hash, generation, since")
);

pub(super) const REMOVE: &str =
    concat!("DELETE FROM contents WHERE hash IN (", unreferenced!("hash"), ")");

pub(super) const DEAD: &str =
    "SELECT hash, generation FROM dead WHERE since <= ?1 ORDER BY since LIMIT ?2";

pub(super) const IS_REFERENCED: &str = "
    SELECT EXISTS (
        SELECT 1 FROM contents WHERE hash = ?1 AND generation = ?2 AND refs > 0
    ) AS referenced
";

pub(super) const REFERENCED: &str = "
    SELECT hash, generation, size FROM contents WHERE hash > ?1 AND refs > 0 ORDER BY hash LIMIT ?2
";

pub(super) const RECORD_STRAYS: &str = "
    INSERT INTO dead (hash, generation, since)
    SELECT unhex(found.value ->> 0), found.value ->> 1, ?2 FROM json_each(?1) AS found
    WHERE NOT EXISTS (
        SELECT 1 FROM contents
        WHERE hash = unhex(found.value ->> 0) AND generation = found.value ->> 1
    )
    ON CONFLICT DO NOTHING
";

pub(super) const FORGET_DEAD: &str = "
    DELETE FROM dead WHERE (hash, generation) IN (
        SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?1)
    )
";

impl BlobQueries for SqliteDatabase {
    fn claim_unreferenced(&self, grace: Duration, limit: usize) -> BoxFuture<'_, Result<usize>> {
        // Before an object is deleted, its content row must be removed for good: after a power failure an
        // upload would reserve that generation again.
        self.writer.run(Durability::Immediate, move |conn| Box::pin(claim(conn, grace, limit)))
    }

    fn dead_blobs(&self, grace: Duration, limit: usize) -> BoxFuture<'_, Result<Vec<BlobId>>> {
        Box::pin(async move {
            let statement = query(DEAD).bind(millis_before(grace)).bind(limit as i64);
            each(&self.queries.all(statement).await?, Columns::blob_id)
        })
    }

    fn forget_dead<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<()>> {
        let blobs = blob_list(blobs);
        // If the records come back after a power failure, the next collection removes them.
        self.writer.run(Durability::Deferred, move |conn| {
            Box::pin(async move {
                query(FORGET_DEAD).bind(blobs).execute(conn).await?;
                Ok(())
            })
        })
    }

    fn record_strays<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<u64>> {
        let blobs = blob_list(blobs);
        self.writer.run(Durability::Deferred, move |conn| Box::pin(record_strays(conn, blobs)))
    }

    fn is_referenced(&self, blob: BlobId) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let BlobId { hash, generation } = blob;
            let statement = query(IS_REFERENCED).bind(hash_bytes(hash)).bind(generation.number());
            Columns(&self.queries.one(statement).await?).flag("referenced")
        })
    }

    fn referenced_blobs(
        &self,
        after: Option<ContentHash>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<BlobRow>>> {
        Box::pin(async move {
            // The empty blob sorts before every hash.
            let after = after.map(hash_bytes).unwrap_or_default();
            let statement = query(REFERENCED).bind(after).bind(limit as i64);
            each(&self.queries.all(statement).await?, Columns::blob_row)
        })
    }
}

async fn claim(
    conn: &mut SqliteConnection,
    grace: Duration,
    limit: usize,
) -> Result<usize, DbError> {
    let before = millis_before(grace);
    query(BURY).bind(before).bind(limit as i64).execute(&mut *conn).await?;
    let removed = query(REMOVE).bind(before).bind(limit as i64).execute(conn).await?;
    Ok(removed.rows_affected() as usize)
}

async fn record_strays(conn: &mut SqliteConnection, blobs: String) -> Result<u64, DbError> {
    let recorded = query(RECORD_STRAYS).bind(blobs).bind(now()).execute(conn).await?;
    Ok(recorded.rows_affected())
}

/// Records a blob as dead whose generation an upload has lost, because its bytes may have been placed after
/// it was deleted.
pub(super) async fn bury(conn: &mut SqliteConnection, blob: BlobId) -> Result<(), DbError> {
    record_strays(conn, blob_list(&[blob])).await.map(drop)
}

fn millis_before(grace: Duration) -> i64 {
    to_millis(SystemTime::now().checked_sub(grace).unwrap_or(SystemTime::UNIX_EPOCH))
}

fn blob_list(blobs: &[BlobId]) -> String {
    let pairs: Vec<_> = blobs.iter().map(|blob| (blob.hash, blob.generation.number())).collect();
    json_list(&pairs)
}
