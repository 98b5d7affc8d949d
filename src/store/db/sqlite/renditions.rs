//! Stored renditions and their last use.

use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use sqlx::{SqliteConnection, query};

use super::{
    decode::{Columns, each, hash_bytes, now, optional, to_integer, to_millis},
    engine::SqliteDatabase,
    error::DbError,
    writer::Durability,
};
use crate::{
    error::Result,
    id::MediaId,
    store::db::{RenditionQueries, RenditionRow},
};

/// Resolution of `used_at`, so that a read hardly ever writes.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60 * 60);

pub(super) const FIND: &str = "
    SELECT renditions.* FROM renditions JOIN media ON media.id = renditions.media
    WHERE renditions.media = ?1 AND renditions.key = ?2
";

pub(super) const LEAST_RECENTLY_USED: &str = "SELECT * FROM renditions ORDER BY used_at LIMIT ?1";

pub(super) const REMOVED: &str =
    "SELECT media FROM removed WHERE since <= ?1 ORDER BY since LIMIT ?2";

// All writes are deferred: after a power failure a lost record is written or collected once more.
impl RenditionQueries for SqliteDatabase {
    fn rendition<'a>(
        &'a self,
        id: &'a MediaId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<RenditionRow>>> {
        Box::pin(async move {
            let statement = query(FIND).bind(id.as_str().to_owned()).bind(key.to_owned());
            optional(&self.checks.optional(statement).await?, Columns::rendition)
        })
    }

    fn keep_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: RenditionRow,
    ) -> BoxFuture<'a, Result<bool>> {
        let id = id.clone();
        self.writer.run(Durability::Deferred, move |conn| Box::pin(keep(conn, id, rendition)))
    }

    fn touch_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: &'a RenditionRow,
    ) -> BoxFuture<'a, Result<()>> {
        let age = SystemTime::now().duration_since(rendition.used_at);
        if age.is_ok_and(|age| age <= TOUCH_INTERVAL) {
            return Box::pin(async { Ok(()) });
        }
        let (id, key) = (id.clone(), rendition.key.clone());
        self.writer.run(Durability::Deferred, move |conn| Box::pin(touch(conn, id, key)))
    }

    fn rendition_bytes(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let row = self.queries.one(query("SELECT rendition_bytes FROM totals")).await?;
            Columns(&row).unsigned("rendition_bytes")
        })
    }

    fn least_recently_used(
        &self,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MediaId, RenditionRow)>>> {
        Box::pin(async move {
            let rows = self.queries.all(query(LEAST_RECENTLY_USED).bind(limit as i64)).await?;
            each(&rows, |row| Ok((row.id("media")?, row.rendition()?)))
        })
    }

    fn forget_renditions<'a>(
        &'a self,
        id: &'a MediaId,
        key: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        let (id, key) = (id.clone(), key.map(str::to_owned));
        self.writer.run(Durability::Deferred, move |conn| Box::pin(forget(conn, id, key)))
    }

    fn removed(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let statement = query(REMOVED).bind(to_millis(before)).bind(limit as i64);
            each(&self.queries.all(statement).await?, |row| row.id("media"))
        })
    }
}

async fn keep(
    conn: &mut SqliteConnection,
    id: MediaId,
    rendition: RenditionRow,
) -> Result<bool, DbError> {
    let RenditionRow { key, size, hash, mime_type, width, height, used_at } = rendition;
    let kept = query(
        "INSERT INTO renditions (media, key, size, hash, mime_type, width, height, used_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE EXISTS (SELECT 1 FROM media WHERE id = ?1)
         ON CONFLICT (media, key) DO UPDATE SET
             size = excluded.size, hash = excluded.hash, mime_type = excluded.mime_type,
             width = excluded.width, height = excluded.height, used_at = excluded.used_at",
    )
    .bind(id.as_str().to_owned())
    .bind(key)
    .bind(to_integer(size))
    .bind(hash_bytes(hash))
    .bind(mime_type)
    .bind(width)
    .bind(height)
    .bind(to_millis(used_at))
    .execute(conn)
    .await?;
    Ok(kept.rows_affected() > 0)
}

async fn touch(conn: &mut SqliteConnection, id: MediaId, key: String) -> Result<(), DbError> {
    query("UPDATE renditions SET used_at = ?3 WHERE media = ?1 AND key = ?2")
        .bind(id.as_str().to_owned())
        .bind(key)
        .bind(now())
        .execute(conn)
        .await?;
    Ok(())
}

async fn forget(
    conn: &mut SqliteConnection,
    id: MediaId,
    key: Option<String>,
) -> Result<(), DbError> {
    query("DELETE FROM renditions WHERE media = ?1 AND (?2 IS NULL OR key = ?2)")
        .bind(id.as_str().to_owned())
        .bind(key)
        .execute(&mut *conn)
        .await?;
    // Deleted media without renditions leaves nothing more to collect.
    query(
        "DELETE FROM removed
         WHERE media = ?1 AND NOT EXISTS (SELECT 1 FROM renditions WHERE media = ?1)",
    )
    .bind(id.as_str().to_owned())
    .execute(conn)
    .await?;
    Ok(())
}
