//! Contents that somebody has, and contents that nobody has.

use std::time::SystemTime;

use sqlx::{SqliteConnection, query};

use super::{
    decode::{Columns, each, list, places, to_millis},
    error::{self, Fault},
    read_pool::Readers,
    writer::Operation,
};
use crate::{error::Result, id::ContentHash, store::db::records::Content};

pub(super) const ORPHANS: &str =
    "SELECT hash FROM orphans WHERE since <= ?1 ORDER BY since LIMIT ?2";

pub(super) const HELD: &str = "SELECT EXISTS (SELECT 1 FROM media WHERE hash = ?1) AS held";

pub(super) const KNOWN: &str = "
    SELECT json_group_array(asked.key) AS places FROM json_each(?1) AS asked
    WHERE EXISTS (SELECT 1 FROM media WHERE hash = unhex(asked.value))
        OR EXISTS (SELECT 1 FROM orphans WHERE hash = unhex(asked.value))
";

pub(super) const CONTENTS: &str = "
    SELECT hash, max(size) AS size FROM media WHERE hash > ?1 GROUP BY hash ORDER BY hash LIMIT ?2
";

pub(super) async fn orphans(
    readers: &Readers,
    before: SystemTime,
    limit: usize,
) -> Result<Vec<ContentHash>> {
    let statement = query(ORPHANS).bind(to_millis(before)).bind(limit as i64);
    each(&readers.all(statement).await?, Columns::hash)
}

pub(super) async fn existing(
    readers: &Readers,
    hashes: &[ContentHash],
) -> Result<Vec<ContentHash>> {
    let row = readers.one(query(KNOWN).bind(list(hashes))).await?;
    places(&row.ok_or_else(|| error::damaged("a sum of nothing"))?, hashes)
}

pub(super) async fn referenced_blobs(
    readers: &Readers,
    after: Option<ContentHash>,
    limit: usize,
) -> Result<Vec<Content>> {
    // Before every hash comes the empty one.
    let after = after.map(|hash| hash.as_bytes().to_vec()).unwrap_or_default();
    each(&readers.all(query(CONTENTS).bind(after).bind(limit as i64)).await?, Columns::content)
}

pub(super) async fn is_orphan(readers: &Readers, hash: ContentHash) -> Result<bool> {
    let row = readers.one(query(HELD).bind(hash.as_bytes().to_vec())).await?;
    let row = row.ok_or_else(|| error::damaged("an answer that is none"))?;
    Ok(!Columns(&row).get::<bool>("held")?)
}

/// The bytes of an orphan are gone, or somebody has them.
pub(super) struct ForgetOrphan(pub(super) ContentHash);

impl Operation for ForgetOrphan {
    type Answer = bool;
    // Lost, the sweep would come by once more.
    const DURABLE: bool = false;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<bool, Fault> {
        query("DELETE FROM orphans WHERE hash = ?1")
            .bind(self.0.as_bytes().to_vec())
            .execute(&mut *conn)
            .await?;
        let row = query(HELD).bind(self.0.as_bytes().to_vec()).fetch_one(conn).await?;
        Ok(!Columns(&row).get::<bool>("held")?)
    }
}
