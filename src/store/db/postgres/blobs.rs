//! Garbage collection and verification of blobs.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, query};

use super::{
    decode::{Columns, blob_arrays, each, hash_bytes},
    engine::PostgresDatabase,
    error::DbError,
    pool::Repeat,
};
use crate::{
    error::Result,
    id::ContentHash,
    store::db::{BlobId, BlobQueries, BlobRow},
};

/// Claims contents without references, and skips those that another collector or an upload has locked. The
/// clock is in a subquery, because a volatile function in the condition would prevent the use of the index.
pub(super) const CLAIM: &str = "
    WITH
        claimed AS (
            SELECT hash FROM tower_media.contents
            WHERE refs = 0 AND since <= (SELECT tower_media.now_millis() - $1)
            ORDER BY since, hash LIMIT $2
            FOR UPDATE SKIP LOCKED
        ),
        collected AS (
            DELETE FROM tower_media.contents WHERE hash IN (SELECT hash FROM claimed)
            RETURNING hash, generation, since
        )
    INSERT INTO tower_media.dead (hash, generation, since)
    SELECT hash, generation, since FROM collected
";

pub(super) const DEAD: &str = "
    SELECT hash, generation FROM tower_media.dead
    WHERE since <= (SELECT tower_media.now_millis() - $1) ORDER BY since LIMIT $2
";

pub(super) const IS_REFERENCED: &str = "
    SELECT EXISTS (
        SELECT 1 FROM tower_media.contents WHERE hash = $1 AND generation = $2 AND refs > 0
    ) AS referenced
";

pub(super) const REFERENCED: &str = "
    SELECT hash, generation, size FROM tower_media.contents
    WHERE hash > $1 AND refs > 0 ORDER BY hash LIMIT $2
";

pub(super) const RECORD_STRAYS: &str = "
    INSERT INTO tower_media.dead (hash, generation, since)
    SELECT found.hash, found.generation, tower_media.now_millis()
    FROM unnest($1::bytea[], $2::bigint[]) AS found (hash, generation)
    WHERE NOT EXISTS (
        SELECT 1 FROM tower_media.contents
        WHERE contents.hash = found.hash AND contents.generation = found.generation
    )
    ON CONFLICT DO NOTHING
";

pub(super) const FORGET_DEAD: &str = "
    DELETE FROM tower_media.dead WHERE (hash, generation) IN (
        SELECT found.hash, found.generation
        FROM unnest($1::bytea[], $2::bigint[]) AS found (hash, generation)
    )
";

impl BlobQueries for PostgresDatabase {
    fn claim_unreferenced(&self, grace: Duration, limit: usize) -> BoxFuture<'_, Result<usize>> {
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| {
            let statement = query(CLAIM).bind(millis(grace)).bind(limit as i64).persistent(false);
            Ok(statement.execute(conn).await?.rows_affected() as usize)
        }))
    }

    fn dead_blobs(&self, grace: Duration, limit: usize) -> BoxFuture<'_, Result<Vec<BlobId>>> {
        Box::pin(self.pool.read(async move |conn| {
            let statement = query(DEAD).bind(millis(grace)).bind(limit as i64).persistent(false);
            Ok(each(&statement.fetch_all(conn).await?, Columns::blob_id)?)
        }))
    }

    fn forget_dead<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<()>> {
        let (hashes, generations) = blob_arrays(blobs);
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| {
            let statement =
                query(FORGET_DEAD).bind(hashes.clone()).bind(generations.clone()).persistent(false);
            statement.execute(conn).await?;
            Ok(())
        }))
    }

    fn record_strays<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<u64>> {
        let blobs = blobs.to_vec();
        Box::pin(
            self.pool.write(Repeat::Harmless, async move |conn| record_strays(conn, &blobs).await),
        )
    }

    fn is_referenced(&self, blob: BlobId) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.pool.read(async move |conn| {
            let row = query(IS_REFERENCED)
                .bind(hash_bytes(blob.hash))
                .bind(blob.generation.number())
                .persistent(false)
                .fetch_one(conn)
                .await?;
            Ok(Columns(&row).flag("referenced")?)
        }))
    }

    fn referenced_blobs(
        &self,
        after: Option<ContentHash>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<BlobRow>>> {
        Box::pin(self.pool.read(async move |conn| {
            // The empty hash sorts before every other.
            let after = after.map(hash_bytes).unwrap_or_default();
            let statement = query(REFERENCED).bind(after).bind(limit as i64).persistent(false);
            Ok(each(&statement.fetch_all(conn).await?, Columns::blob_row)?)
        }))
    }
}

async fn record_strays(conn: &mut PgConnection, blobs: &[BlobId]) -> Result<u64, DbError> {
    let (hashes, generations) = blob_arrays(blobs);
    let statement = query(RECORD_STRAYS).bind(hashes).bind(generations).persistent(false);
    Ok(statement.execute(conn).await?.rows_affected())
}

/// Records a blob as dead whose generation an upload has lost, because its bytes may have been placed after
/// it was deleted.
pub(super) async fn bury(conn: &mut PgConnection, blob: BlobId) -> Result<(), DbError> {
    record_strays(conn, &[blob]).await.map(drop)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}
