//! Deletion of media rows, and the references and totals that change with it.

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, query};

use super::{
    decode::{Columns, each, id_array, optional, records, tenant},
    engine::PostgresDatabase,
    error::DbError,
    pool::Repeat,
};
use crate::{
    error::Result,
    id::MediaId,
    owner::{Owner, Scope},
    store::db::{DeleteQueries, MediaRow},
};

/// Number of media that one step of erasing an owner deletes, so that other writes get in between.
const ERASE_BATCH: usize = 500;

/// Locks the owner until the end of the transaction. Every change of the owner's media does so first.
const LOCK_OWNER: &str = "
    SELECT number FROM tower_media.owners WHERE tenant = $1 AND subject = $2 FOR NO KEY UPDATE
";

/// Selects media rows to delete, and locks their contents in the order of the hashes.
macro_rules! doomed {
    ($which:literal) => {
        concat!(
            "SELECT contents.hash FROM tower_media.contents WHERE hash IN (
                 SELECT media.hash FROM tower_media.media ",
            $which,
            ") ORDER BY hash FOR NO KEY UPDATE"
        )
    };
}

/// Deletes media rows of one owner, whose row is locked, and counts them off.
macro_rules! delete {
    ($owner:literal, $which:literal) => {
        concat!(
            "WITH
                 deleted AS (
                     DELETE FROM tower_media.media WHERE number IN (
                         SELECT media.number FROM tower_media.media ",
            $which,
            "    )
                     RETURNING id, arrival, hash, size, status
                 ),
                 owner AS (
                     UPDATE tower_media.owners
                     SET count = owners.count - lost.count, bytes = owners.bytes - lost.bytes,
                         ready = owners.ready - lost.ready
                     FROM (
                         SELECT count(*) AS count, coalesce(sum(size), 0)::bigint AS bytes,
                             count(*) FILTER (WHERE status = 'ready') AS ready
                         FROM deleted
                     ) AS lost
                     WHERE owners.number = ",
            $owner,
            "    ),
                 content AS (
                     UPDATE tower_media.contents
                     SET refs = refs - 1, since = tower_media.now_millis()
                     FROM deleted WHERE contents.hash = deleted.hash
                 )
             SELECT id FROM deleted ORDER BY arrival"
        )
    };
}

const LOCK_CONTENT: &str = doomed!("WHERE id = $1 AND owner = $2");
pub(super) const DELETE: &str = delete!("$2", "WHERE id = $1 AND owner = $2");

const LOCK_BATCH: &str = doomed!("WHERE owner = $1 ORDER BY arrival LIMIT $2");
pub(super) const DELETE_BATCH: &str = delete!("$1", "WHERE owner = $1 ORDER BY arrival LIMIT $2");

const FIND: &str = records!("WHERE id = $1 AND owner = $2");

impl DeleteQueries for PostgresDatabase {
    fn delete<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
    ) -> BoxFuture<'a, Result<Option<MediaRow>>> {
        let (owner, id) = (owner.clone(), id.clone());
        Box::pin(self.pool.write(Repeat::Visible, async move |conn| {
            match lock_owner(conn, &owner).await? {
                Some(owner) => delete(conn, owner, &id).await,
                None => Ok(None),
            }
        }))
    }

    fn delete_from_scope<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<(bool, bool)>> {
        let (owner, id, scope) = (owner.clone(), id.clone(), scope.clone());
        Box::pin(self.pool.write(Repeat::Visible, async move |conn| {
            match lock_owner(conn, &owner).await? {
                Some(owner) => delete_from_scope(conn, owner, &id, &scope).await,
                None => Ok((false, false)),
            }
        }))
    }

    fn erase_owner<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let mut ids = Vec::new();
            loop {
                let owner = owner.clone();
                let erase = self.pool.write(Repeat::Visible, async move |conn| {
                    match lock_owner(conn, &owner).await? {
                        Some(owner) => erase_batch(conn, owner).await,
                        None => Ok(Vec::new()),
                    }
                });
                let mut erased = erase.await?;
                let is_last = erased.len() < ERASE_BATCH;
                ids.append(&mut erased);
                if is_last {
                    return Ok(ids);
                }
            }
        })
    }
}

async fn lock_owner(conn: &mut PgConnection, owner: &Owner) -> Result<Option<i64>, DbError> {
    let row = query(LOCK_OWNER)
        .bind(tenant(owner).to_owned())
        .bind(owner.subject().to_owned())
        .persistent(false)
        .fetch_optional(conn)
        .await?;
    Ok(optional(&row, |row| row.integer("number"))?)
}

async fn delete(
    conn: &mut PgConnection,
    owner: i64,
    id: &MediaId,
) -> Result<Option<MediaRow>, DbError> {
    let of_owner = |sql| query(sql).bind(id.as_str().to_owned()).bind(owner).persistent(false);
    let row = of_owner(FIND).fetch_optional(&mut *conn).await?;
    let Some(row) = optional(&row, Columns::media)? else { return Ok(None) };
    of_owner(LOCK_CONTENT).execute(&mut *conn).await?;
    of_owner(DELETE).execute(&mut *conn).await?;
    record_removed(conn, std::slice::from_ref(id)).await?;
    Ok(Some(row))
}

/// Returns whether the media was in the scope, and whether the row is deleted.
async fn delete_from_scope(
    conn: &mut PgConnection,
    owner: i64,
    id: &MediaId,
    scope: &Scope,
) -> Result<(bool, bool), DbError> {
    let found =
        query("DELETE FROM tower_media.refs WHERE media = $1 AND scope = $2 AND owner = $3")
            .bind(id.as_str().to_owned())
            .bind(scope.as_str().to_owned())
            .bind(owner)
            .persistent(false)
            .execute(&mut *conn)
            .await?;
    if found.rows_affected() == 0 {
        return Ok((false, false));
    }
    let left = query("SELECT 1 FROM tower_media.refs WHERE media = $1 LIMIT 1")
        .bind(id.as_str().to_owned())
        .persistent(false)
        .fetch_optional(&mut *conn)
        .await?;
    if left.is_some() {
        return Ok((true, false));
    }
    Ok((true, delete(conn, owner, id).await?.is_some()))
}

/// Deletes some of an owner's media, oldest first, and with the last of them the owner.
async fn erase_batch(conn: &mut PgConnection, owner: i64) -> Result<Vec<MediaId>, DbError> {
    let of_owner = |sql| query(sql).bind(owner).bind(ERASE_BATCH as i64).persistent(false);
    of_owner(LOCK_BATCH).execute(&mut *conn).await?;
    let rows = of_owner(DELETE_BATCH).fetch_all(&mut *conn).await?;
    let ids = each(&rows, |row| row.id("id"))?;
    record_removed(conn, &ids).await?;
    if ids.len() < ERASE_BATCH {
        query("DELETE FROM tower_media.owners WHERE number = $1")
            .bind(owner)
            .persistent(false)
            .execute(conn)
            .await?;
    }
    Ok(ids)
}

/// Records the media whose renditions are left to garbage collection. In a statement of its own, after the
/// deletion: a rendition that was recorded while the deletion waited for it is seen only then.
async fn record_removed(conn: &mut PgConnection, ids: &[MediaId]) -> Result<(), DbError> {
    query(
        "INSERT INTO tower_media.removed (media, since)
         SELECT deleted.id, tower_media.now_millis() FROM unnest($1::text[]) AS deleted (id)
         WHERE EXISTS (SELECT 1 FROM tower_media.renditions WHERE media = deleted.id)
         ON CONFLICT DO NOTHING",
    )
    .bind(id_array(ids))
    .persistent(false)
    .execute(conn)
    .await?;
    Ok(())
}
