//! Moving records from and to another database.

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, Row as _, query};

use super::{
    blobs::bury,
    decode::{Columns, each, hash_bytes, records},
    engine::PostgresDatabase,
    error::DbError,
    pool::Repeat,
    uploads::{create, is_current, owner_row},
};
use crate::{
    error::Result,
    id::MediaId,
    owner::Scope,
    store::db::{
        BlobId, Generation, Imported, MediaRow, TransferQueries, TransferRow, error::damaged,
    },
};

pub(super) const EXPORT: &str = records!("WHERE id > $1 ORDER BY id LIMIT $2");

/// The scopes of a page of ids, in the order of both.
pub(super) const SCOPES: &str = "
    SELECT media, scope FROM tower_media.refs WHERE media = ANY ($1) ORDER BY media, scope
";

pub(super) const SAME: &str = records!("WHERE id = $1 OR (hash = $2 AND owner = $3)");

impl TransferQueries for PostgresDatabase {
    fn export<'a>(
        &'a self,
        after: Option<&'a MediaId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<TransferRow>>> {
        let after = after.map(MediaId::as_str).unwrap_or_default().to_owned();
        Box::pin(self.pool.read(async move |conn| {
            let page = query(EXPORT).bind(after.clone()).bind(limit as i64).persistent(false);
            let rows = page.fetch_all(&mut *conn).await?;
            let mut moved = each(&rows, |row| {
                let arrival = row.integer("arrival")?;
                Ok(TransferRow { media: row.media()?, arrival, scopes: Vec::new() })
            })?;
            let ids: Vec<_> = moved.iter().map(|row| row.media.id.as_str().to_owned()).collect();
            let scopes = query(SCOPES).bind(ids).persistent(false).fetch_all(conn).await?;
            let mut rows = moved.iter_mut();
            let mut row = rows.next();
            for found in &scopes {
                let id = Columns(found).id("media")?;
                while row.as_ref().is_some_and(|row| row.media.id != id) {
                    row = rows.next();
                }
                let row = row.as_mut().ok_or_else(|| damaged("a scope without media"))?;
                row.scopes.push(Scope::new(Columns(found).text("scope")?).map_err(damaged)?);
            }
            Ok(moved)
        }))
    }

    fn import(
        &self,
        media: TransferRow,
        generation: Generation,
    ) -> BoxFuture<'_, Result<Imported>> {
        Box::pin(
            self.pool
                .write(Repeat::Harmless, async move |conn| import(conn, &media, generation).await),
        )
    }
}

async fn import(
    conn: &mut PgConnection,
    moved: &TransferRow,
    generation: Generation,
) -> Result<Imported, DbError> {
    let TransferRow { media, arrival, scopes } = moved;
    let owner = owner_row(conn, &media.owner).await?;
    let same = query(SAME)
        .bind(media.id.as_str().to_owned())
        .bind(hash_bytes(media.hash))
        .bind(owner.number)
        .persistent(false)
        .fetch_all(&mut *conn)
        .await?;
    let arrival = match &same[..] {
        [] => {
            let blob = BlobId { hash: media.hash, generation };
            if !is_current(conn, blob).await? {
                bury(conn, blob).await?;
                return Ok(Imported::Expired);
            }
            let arrival = free_arrival(conn, owner.number, *arrival).await?;
            let row = MediaRow { generation, ..media.clone() };
            create(conn, &row, owner.number, arrival, Some(media.created_at)).await?;
            arrival
        }
        [row] => {
            let there = Columns(row).media()?;
            if (&there.id, &there.owner, there.hash) != (&media.id, &media.owner, media.hash) {
                return Ok(Imported::Conflict);
            }
            Columns(row).integer("arrival")?
        }
        _ => return Ok(Imported::Conflict),
    };
    for scope in scopes {
        query(
            "INSERT INTO tower_media.refs (media, scope, owner, arrival) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(media.id.as_str().to_owned())
        .bind(scope.as_str().to_owned())
        .bind(owner.number)
        .bind(arrival)
        .persistent(false)
        .execute(&mut *conn)
        .await?;
    }
    Ok(Imported::Done)
}

/// Returns the arrival, or the next one if another media item of the owner has it.
async fn free_arrival(conn: &mut PgConnection, owner: i64, arrival: i64) -> Result<i64, DbError> {
    let row = query(
        "SELECT CASE WHEN EXISTS (
             SELECT 1 FROM tower_media.media WHERE owner = $1 AND arrival = $2
         ) THEN greatest(arrivals, $2) + 1 ELSE $2 END AS arrival
         FROM tower_media.owners WHERE number = $1",
    )
    .bind(owner)
    .bind(arrival)
    .persistent(false)
    .fetch_one(conn)
    .await?;
    Ok(row.try_get("arrival")?)
}
