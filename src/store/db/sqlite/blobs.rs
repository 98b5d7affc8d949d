//! Referenced blobs, and blobs that no media row refers to.

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use sqlx::{SqliteConnection, query};

use super::{
    decode::{Columns, each, hash_bytes, json_list, selected, to_millis},
    engine::SqliteDatabase,
    error::DbError,
    writer::Durability,
};
use crate::{
    error::Result,
    id::ContentHash,
    store::db::{BlobQueries, BlobRow},
};

pub(super) const ORPHANS: &str =
    "SELECT hash FROM orphans WHERE since <= ?1 ORDER BY since LIMIT ?2";

pub(super) const IS_REFERENCED: &str =
    "SELECT EXISTS (SELECT 1 FROM media WHERE hash = ?1) AS referenced";

pub(super) const EXISTING: &str = "
    SELECT json_group_array(asked.key) AS positions FROM json_each(?1) AS asked
    WHERE EXISTS (SELECT 1 FROM media WHERE hash = unhex(asked.value))
        OR EXISTS (SELECT 1 FROM orphans WHERE hash = unhex(asked.value))
";

pub(super) const REFERENCED: &str = "
    SELECT hash, max(size) AS size FROM media WHERE hash > ?1 GROUP BY hash ORDER BY hash LIMIT ?2
";

impl BlobQueries for SqliteDatabase {
    fn orphans(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<ContentHash>>> {
        Box::pin(async move {
            let statement = query(ORPHANS).bind(to_millis(before)).bind(limit as i64);
            each(&self.queries.all(statement).await?, Columns::hash)
        })
    }

    fn is_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let row = self.queries.one(query(IS_REFERENCED).bind(hash_bytes(hash))).await?;
            Ok(!Columns(&row).flag("referenced")?)
        })
    }

    fn forget_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>> {
        // If the record comes back after a power failure, the next collection removes it.
        self.writer.run(Durability::Deferred, move |conn| Box::pin(forget_orphan(conn, hash)))
    }

    fn existing<'a>(
        &'a self,
        hashes: &'a [ContentHash],
    ) -> BoxFuture<'a, Result<Vec<ContentHash>>> {
        Box::pin(async move {
            let row = self.queries.one(query(EXISTING).bind(json_list(hashes))).await?;
            selected(&row, hashes)
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
            each(&self.queries.all(statement).await?, Columns::blob)
        })
    }
}

async fn forget_orphan(conn: &mut SqliteConnection, hash: ContentHash) -> Result<bool, DbError> {
    query("DELETE FROM orphans WHERE hash = ?1").bind(hash_bytes(hash)).execute(&mut *conn).await?;
    let row = query(IS_REFERENCED).bind(hash_bytes(hash)).fetch_one(conn).await?;
    Ok(!Columns(&row).flag("referenced")?)
}
