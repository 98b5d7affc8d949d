//! Deletion of media rows. Triggers count the references of their contents.

use futures_util::future::BoxFuture;
use sqlx::{SqliteConnection, query};

use super::{
    decode::{Columns, each, json_list, now, tenant},
    engine::SqliteDatabase,
    error::DbError,
    writer::Durability,
};
use crate::{
    error::Result,
    id::MediaId,
    owner::{Owner, Scope},
    store::db::{DeleteQueries, MediaRow},
};

/// Number of media that one step of erasing an owner deletes, so that other writes get in between.
const ERASE_BATCH: usize = 500;

impl DeleteQueries for SqliteDatabase {
    fn delete<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
    ) -> BoxFuture<'a, Result<Option<MediaRow>>> {
        let (owner, id) = (owner.clone(), id.clone());
        self.writer.run(Durability::Immediate, move |conn| Box::pin(delete(conn, owner, id)))
    }

    fn delete_from_scope<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<(bool, bool)>> {
        let (owner, id, scope) = (owner.clone(), id.clone(), scope.clone());
        self.writer.run(Durability::Immediate, move |conn| {
            Box::pin(delete_from_scope(conn, owner, id, scope))
        })
    }

    fn erase_owner<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let mut ids = Vec::new();
            loop {
                let owner = owner.clone();
                let mut erased = self
                    .writer
                    .run(Durability::Immediate, |conn| Box::pin(erase_batch(conn, owner)))
                    .await?;
                let is_last = erased.len() < ERASE_BATCH;
                ids.append(&mut erased);
                if is_last {
                    return Ok(ids);
                }
            }
        })
    }
}

async fn delete(
    conn: &mut SqliteConnection,
    owner: Owner,
    id: MediaId,
) -> Result<Option<MediaRow>, DbError> {
    let row = query("SELECT * FROM records WHERE id = ?1 AND tenant = ?2 AND subject = ?3")
        .bind(id.as_str().to_owned())
        .bind(tenant(&owner).to_owned())
        .bind(owner.subject().to_owned())
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns(&row).media()?;
    query("DELETE FROM media WHERE id = ?1")
        .bind(id.as_str().to_owned())
        .execute(&mut *conn)
        .await?;
    record_removed(conn, &[id]).await?;
    Ok(Some(row))
}

/// Returns whether the media was in the scope, and whether the row is deleted.
async fn delete_from_scope(
    conn: &mut SqliteConnection,
    owner: Owner,
    id: MediaId,
    scope: Scope,
) -> Result<(bool, bool), DbError> {
    let found = query(
        "DELETE FROM refs WHERE media = ?1 AND scope = ?2
         AND owner = (SELECT number FROM owners WHERE tenant = ?3 AND subject = ?4)",
    )
    .bind(id.as_str().to_owned())
    .bind(scope.as_str().to_owned())
    .bind(tenant(&owner).to_owned())
    .bind(owner.subject().to_owned())
    .execute(&mut *conn)
    .await?;
    if found.rows_affected() == 0 {
        return Ok((false, false));
    }
    let left = query("SELECT 1 FROM refs WHERE media = ?1 LIMIT 1")
        .bind(id.as_str().to_owned())
        .fetch_optional(&mut *conn)
        .await?;
    if left.is_some() {
        return Ok((true, false));
    }
    Ok((true, delete(conn, owner, id).await?.is_some()))
}

/// Deletes some of an owner's media, oldest first, and with the last of them the owner.
async fn erase_batch(conn: &mut SqliteConnection, owner: Owner) -> Result<Vec<MediaId>, DbError> {
    let rows = query(
        "DELETE FROM media WHERE number IN (
             SELECT number FROM media
             WHERE owner = (SELECT number FROM owners WHERE tenant = ?1 AND subject = ?2)
             ORDER BY arrival LIMIT ?3
         )
         RETURNING id",
    )
    .bind(tenant(&owner).to_owned())
    .bind(owner.subject().to_owned())
    .bind(ERASE_BATCH as i64)
    .fetch_all(&mut *conn)
    .await?;
    let ids = each(&rows, |row| row.id("id"))?;
    record_removed(conn, &ids).await?;
    if ids.len() < ERASE_BATCH {
        query("DELETE FROM owners WHERE tenant = ?1 AND subject = ?2")
            .bind(tenant(&owner).to_owned())
            .bind(owner.subject().to_owned())
            .execute(conn)
            .await?;
    }
    Ok(ids)
}

/// Records the media whose renditions are left to garbage collection.
async fn record_removed(conn: &mut SqliteConnection, ids: &[MediaId]) -> Result<(), DbError> {
    query(
        "INSERT INTO removed (media, since)
         SELECT deleted.value, ?2 FROM json_each(?1) AS deleted
         WHERE EXISTS (SELECT 1 FROM renditions WHERE media = deleted.value)",
    )
    .bind(json_list(ids))
    .bind(now())
    .execute(conn)
    .await?;
    Ok(())
}
