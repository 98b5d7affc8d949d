//! Stored renditions and their last use.

use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use sqlx::query;

use super::{
    decode::{Columns, each, hash_bytes, millis_from_now, optional, to_integer, to_millis},
    engine::PostgresDatabase,
    pool::Repeat,
};
use crate::{
    error::Result,
    id::MediaId,
    store::db::{RenditionQueries, RenditionRow},
};

/// Resolution of `used_at`, so that a read hardly ever writes.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60 * 60);

macro_rules! renditions {
    ($rest:literal) => {
        concat!(
            "SELECT media, key, size, hash, mime_type, width, height, used_at
             FROM tower_media.renditions ",
            $rest
        )
    };
}

pub(super) const FIND: &str = renditions!(
    "WHERE media = $1 AND key = $2
        AND EXISTS (SELECT 1 FROM tower_media.media WHERE id = $1)"
);

pub(super) const LEAST_RECENTLY_USED: &str = renditions!("ORDER BY used_at LIMIT $1");

pub(super) const REMOVED: &str = "
    SELECT media FROM tower_media.removed
    WHERE since <= (SELECT tower_media.now_millis() + $1) ORDER BY since LIMIT $2
";

/// The lock of the media row makes its deletion wait, which then sees this rendition.
const KEEP: &str = "
    INSERT INTO tower_media.renditions (media, key, size, hash, mime_type, width, height, used_at)
    SELECT locked.id, $2, $3, $4, $5, $6, $7, $8
    FROM (SELECT id FROM tower_media.media WHERE id = $1 FOR KEY SHARE) AS locked
    ON CONFLICT (media, key) DO UPDATE SET
        size = excluded.size, hash = excluded.hash, mime_type = excluded.mime_type,
        width = excluded.width, height = excluded.height, used_at = excluded.used_at
";

impl RenditionQueries for PostgresDatabase {
    fn rendition<'a>(
        &'a self,
        id: &'a MediaId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<RenditionRow>>> {
        Box::pin(async move {
            let statement = || query(FIND).bind(id.as_str().to_owned()).bind(key.to_owned());
            optional(&self.pool.lookup(statement).await?, Columns::rendition)
        })
    }

    fn keep_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: RenditionRow,
    ) -> BoxFuture<'a, Result<bool>> {
        let id = id.clone();
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| {
            let kept = query(KEEP)
                .bind(id.as_str().to_owned())
                .bind(rendition.key.clone())
                .bind(to_integer(rendition.size))
                .bind(hash_bytes(rendition.hash))
                .bind(rendition.mime_type.clone())
                .bind(i64::from(rendition.width))
                .bind(i64::from(rendition.height))
                .bind(to_millis(rendition.used_at))
                .persistent(false)
                .execute(conn)
                .await?;
            Ok(kept.rows_affected() > 0)
        }))
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
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| {
            query(
                "UPDATE tower_media.renditions SET used_at = tower_media.now_millis()
                 WHERE media = $1 AND key = $2",
            )
            .bind(id.as_str().to_owned())
            .bind(key.clone())
            .persistent(false)
            .execute(conn)
            .await?;
            Ok(())
        }))
    }

    fn rendition_bytes(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(self.pool.read(async |conn| {
            let sum = "SELECT sum(rendition_bytes)::bigint AS bytes FROM tower_media.totals";
            Ok(Columns(&query(sum).persistent(false).fetch_one(conn).await?).unsigned("bytes")?)
        }))
    }

    fn least_recently_used(
        &self,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MediaId, RenditionRow)>>> {
        Box::pin(self.pool.read(async move |conn| {
            let statement = query(LEAST_RECENTLY_USED).bind(limit as i64).persistent(false);
            let rows = statement.fetch_all(conn).await?;
            Ok(each(&rows, |row| Ok((row.id("media")?, row.rendition()?)))?)
        }))
    }

    fn forget_renditions<'a>(
        &'a self,
        id: &'a MediaId,
        key: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        let (id, key) = (id.clone(), key.map(str::to_owned));
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| {
            query(
                "DELETE FROM tower_media.renditions
                 WHERE media = $1 AND ($2 IS NULL OR key = $2)",
            )
            .bind(id.as_str().to_owned())
            .bind(key.clone())
            .persistent(false)
            .execute(&mut *conn)
            .await?;
            // Deleted media without renditions leaves nothing more to collect.
            query(
                "DELETE FROM tower_media.removed
                 WHERE media = $1
                     AND NOT EXISTS (SELECT 1 FROM tower_media.renditions WHERE media = $1)",
            )
            .bind(id.as_str().to_owned())
            .persistent(false)
            .execute(conn)
            .await?;
            Ok(())
        }))
    }

    fn removed(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>> {
        Box::pin(self.pool.read(async move |conn| {
            let statement =
                query(REMOVED).bind(millis_from_now(before)).bind(limit as i64).persistent(false);
            Ok(each(&statement.fetch_all(conn).await?, |row| row.id("media"))?)
        }))
    }
}
