//! Which renditions are stored, and when they were used.

use std::time::{Duration, SystemTime};

use sqlx::{SqliteConnection, query};

use super::{
    decode::{Columns, each, now, to_integer, to_millis},
    error::{self, Fault},
    read_pool::Readers,
    writer::Operation,
};
use crate::{error::Result, id::MediaId, store::db::records::RenditionRow};

/// How far a note of use may be behind, so that reading is hardly ever writing.
const COARSE: Duration = Duration::from_secs(60 * 60);

pub(super) const FIND: &str = "
    SELECT renditions.* FROM renditions JOIN media ON media.id = renditions.media
    WHERE renditions.media = ?1 AND renditions.key = ?2
";

pub(super) const LEAST_RECENTLY_USED: &str = "SELECT * FROM renditions ORDER BY used_at LIMIT ?1";

pub(super) const REMOVED: &str =
    "SELECT media FROM removed WHERE since <= ?1 ORDER BY since LIMIT ?2";

pub(super) async fn find(
    readers: &Readers,
    id: &MediaId,
    key: &str,
) -> Result<Option<RenditionRow>> {
    let statement = query(FIND).bind(id.as_str().to_owned()).bind(key.to_owned());
    let row = readers.one(statement).await?;
    row.map(|row| Columns(&row).rendition()).transpose()
}

pub(super) async fn bytes(readers: &Readers) -> Result<u64> {
    let row = readers.one(query("SELECT rendition_bytes FROM totals")).await?;
    let row = row.ok_or_else(|| error::damaged("no totals"))?;
    Columns(&row).unsigned("rendition_bytes")
}

pub(super) async fn least_recently_used(
    readers: &Readers,
    limit: usize,
) -> Result<Vec<(MediaId, RenditionRow)>> {
    let rows = readers.all(query(LEAST_RECENTLY_USED).bind(limit as i64)).await?;
    each(&rows, |row| Ok((row.id("media")?, row.rendition()?)))
}

pub(super) async fn removed(
    readers: &Readers,
    before: SystemTime,
    limit: usize,
) -> Result<Vec<MediaId>> {
    let statement = query(REMOVED).bind(to_millis(before)).bind(limit as i64);
    each(&readers.all(statement).await?, |row| row.id("media"))
}

/// A rendition was stored.
pub(super) struct Keep {
    pub(super) id: MediaId,
    pub(super) rendition: RenditionRow,
}

impl Operation for Keep {
    type Answer = bool;
    // Lost, it would be made once more.
    const DURABLE: bool = false;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<bool, Fault> {
        let RenditionRow { key, size, hash, mime_type, width, height, used_at } = &self.rendition;
        let kept = query(
            "INSERT INTO renditions (media, key, size, hash, mime_type, width, height, used_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE EXISTS (SELECT 1 FROM media WHERE id = ?1)
             ON CONFLICT (media, key) DO UPDATE SET
                 size = excluded.size, hash = excluded.hash, mime_type = excluded.mime_type,
                 width = excluded.width, height = excluded.height, used_at = excluded.used_at",
        )
        .bind(self.id.as_str().to_owned())
        .bind(key.clone())
        .bind(to_integer(*size))
        .bind(hash.as_bytes().to_vec())
        .bind(mime_type.clone())
        .bind(*width)
        .bind(*height)
        .bind(to_millis(*used_at))
        .execute(conn)
        .await?;
        Ok(kept.rows_affected() > 0)
    }
}

/// Whether use was noted so long ago that it is to be noted again.
pub(super) fn is_stale(rendition: &RenditionRow) -> bool {
    SystemTime::now().duration_since(rendition.used_at).is_ok_and(|age| age > COARSE)
}

/// A rendition is in use.
pub(super) struct Touch {
    pub(super) id: MediaId,
    pub(super) key: String,
}

impl Operation for Touch {
    type Answer = ();
    const DURABLE: bool = false;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), Fault> {
        query("UPDATE renditions SET used_at = ?3 WHERE media = ?1 AND key = ?2")
            .bind(self.id.as_str().to_owned())
            .bind(self.key.clone())
            .bind(now())
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// Files of renditions are gone.
pub(super) struct Forget {
    pub(super) id: MediaId,
    pub(super) key: Option<String>,
}

impl Operation for Forget {
    type Answer = ();
    // Lost, the sweep would come by once more.
    const DURABLE: bool = false;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), Fault> {
        query("DELETE FROM renditions WHERE media = ?1 AND (?2 IS NULL OR key = ?2)")
            .bind(self.id.as_str().to_owned())
            .bind(self.key.clone())
            .execute(&mut *conn)
            .await?;
        // Media with no rendition left has nothing more to be swept.
        query(
            "DELETE FROM removed
             WHERE media = ?1 AND NOT EXISTS (SELECT 1 FROM renditions WHERE media = ?1)",
        )
        .bind(self.id.as_str().to_owned())
        .execute(conn)
        .await?;
        Ok(())
    }
}
