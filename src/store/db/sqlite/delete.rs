//! What goes, and what it leaves behind.

use sqlx::{SqliteConnection, query};

use super::{
    decode::{Columns, each, list, now, tenant},
    error::Fault,
    writer::Operation,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    owner::{Owner, Scope},
    store::db::records::Row,
};

/// An owner no longer has something.
pub(super) struct Delete {
    pub(super) owner: Owner,
    pub(super) id: MediaId,
}

impl Operation for Delete {
    type Answer = Option<Row>;
    const DURABLE: bool = true;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<Option<Row>, Fault> {
        let row = query("SELECT * FROM records WHERE id = ?1 AND tenant = ?2 AND subject = ?3")
            .bind(self.id.as_str().to_owned())
            .bind(tenant(&self.owner).to_owned())
            .bind(self.owner.subject().to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns(&row).record()?;
        query("DELETE FROM media WHERE id = ?1")
            .bind(self.id.as_str().to_owned())
            .execute(&mut *conn)
            .await?;
        leave(conn, std::slice::from_ref(&self.id), &[row.hash]).await?;
        Ok(Some(row))
    }
}

/// Deletes media from one scope of an owner, and the media itself with its last scope.
pub(super) struct DeleteFromScope {
    pub(super) owner: Owner,
    pub(super) id: MediaId,
    pub(super) scope: Scope,
}

impl Operation for DeleteFromScope {
    /// Whether the media was in the scope, and whether it is deleted.
    type Answer = (bool, bool);
    const DURABLE: bool = true;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<(bool, bool), Fault> {
        let found = query(
            "DELETE FROM refs WHERE media = ?1 AND scope = ?2
             AND owner = (SELECT number FROM owners WHERE tenant = ?3 AND subject = ?4)",
        )
        .bind(self.id.as_str().to_owned())
        .bind(self.scope.as_str().to_owned())
        .bind(tenant(&self.owner).to_owned())
        .bind(self.owner.subject().to_owned())
        .execute(&mut *conn)
        .await?;
        if found.rows_affected() == 0 {
            return Ok((false, false));
        }
        let left = query("SELECT 1 FROM refs WHERE media = ?1 LIMIT 1")
            .bind(self.id.as_str().to_owned())
            .fetch_optional(&mut *conn)
            .await?;
        if left.is_some() {
            return Ok((true, false));
        }
        let delete = Delete { owner: self.owner.clone(), id: self.id.clone() };
        let deleted = delete.apply(conn).await?;
        Ok((true, deleted.is_some()))
    }
}

/// An owner goes, a part of the media at a time so that others can write in between.
pub(super) struct Erase {
    pub(super) owner: Owner,
    pub(super) limit: usize,
}

/// What went, and whether there is more.
pub(super) struct Erased {
    pub(super) ids: Vec<MediaId>,
    pub(super) more: bool,
}

impl Operation for Erase {
    type Answer = Erased;
    const DURABLE: bool = true;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<Erased, Fault> {
        let rows = query(
            "DELETE FROM media WHERE number IN (
                 SELECT number FROM media
                 WHERE owner = (SELECT number FROM owners WHERE tenant = ?1 AND subject = ?2)
                 ORDER BY arrival LIMIT ?3
             )
             RETURNING id, hash",
        )
        .bind(tenant(&self.owner).to_owned())
        .bind(self.owner.subject().to_owned())
        .bind(self.limit as i64)
        .fetch_all(&mut *conn)
        .await?;
        let ids = each(&rows, |row| row.id("id"))?;
        let hashes = each(&rows, Columns::hash)?;
        leave(conn, &ids, &hashes).await?;
        let more = ids.len() == self.limit;
        if !more {
            query("DELETE FROM owners WHERE tenant = ?1 AND subject = ?2")
                .bind(tenant(&self.owner).to_owned())
                .bind(self.owner.subject().to_owned())
                .execute(conn)
                .await?;
        }
        Ok(Erased { ids, more })
    }
}

/// Notes what the sweep is to take: contents that nobody has any more, and renditions.
async fn leave(
    conn: &mut SqliteConnection,
    ids: &[MediaId],
    hashes: &[ContentHash],
) -> Result<(), Fault> {
    let now = now();
    query(
        "INSERT INTO orphans (hash, since)
         SELECT DISTINCT unhex(gone.value), ?2 FROM json_each(?1) AS gone
         WHERE NOT EXISTS (SELECT 1 FROM media WHERE hash = unhex(gone.value))
         ON CONFLICT (hash) DO UPDATE SET since = excluded.since",
    )
    .bind(list(hashes))
    .bind(now)
    .execute(&mut *conn)
    .await?;
    query(
        "INSERT INTO removed (media, since)
         SELECT gone.value, ?2 FROM json_each(?1) AS gone
         WHERE EXISTS (SELECT 1 FROM renditions WHERE media = gone.value)",
    )
    .bind(list(ids))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
