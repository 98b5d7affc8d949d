//! Moving records from and to another database.

use futures_util::future::BoxFuture;
use sqlx::{Row as _, SqliteConnection, query};

use super::{
    blobs::bury,
    decode::{Columns, each, hash_bytes},
    engine::SqliteDatabase,
    error::DbError,
    uploads::{create, is_current, owner_row},
    writer::Durability,
};
use crate::{
    error::Result,
    id::MediaId,
    owner::Scope,
    store::db::{
        BlobId, Generation, Imported, MediaRow, TransferQueries, TransferRow, error::damaged,
    },
};

pub(super) const EXPORT: &str = "
    SELECT records.*,
        (SELECT json_group_array(scope) FROM (
            SELECT scope FROM refs WHERE media = records.id ORDER BY scope
        )) AS scopes
    FROM records WHERE id > ?1 ORDER BY id LIMIT ?2
";

pub(super) const SAME: &str = "
    SELECT media.*, owners.tenant, owners.subject FROM media JOIN owners ON owners.number = media.owner
    WHERE media.id = ?1 OR (media.hash = ?2 AND media.owner = ?3)
";

impl TransferQueries for SqliteDatabase {
    fn export<'a>(
        &'a self,
        after: Option<&'a MediaId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<TransferRow>>> {
        Box::pin(async move {
            let after = after.map(MediaId::as_str).unwrap_or_default().to_owned();
            let rows = self.queries.all(query(EXPORT).bind(after).bind(limit as i64)).await?;
            each(&rows, |row| {
                let scopes: Vec<String> =
                    serde_json::from_str(row.text("scopes")?).map_err(damaged)?;
                let scopes = scopes.iter().map(|scope| Scope::new(scope.as_str()).map_err(damaged));
                Ok(TransferRow {
                    media: row.media()?,
                    arrival: row.integer("arrival")?,
                    scopes: scopes.collect::<Result<_>>()?,
                })
            })
        })
    }

    fn import(
        &self,
        media: TransferRow,
        generation: Generation,
    ) -> BoxFuture<'_, Result<Imported>> {
        self.writer
            .run(Durability::Immediate, move |conn| Box::pin(import(conn, media, generation)))
    }
}

async fn import(
    conn: &mut SqliteConnection,
    moved: TransferRow,
    generation: Generation,
) -> Result<Imported, DbError> {
    let TransferRow { media, arrival, scopes } = moved;
    let owner = owner_row(conn, &media.owner).await?;
    let same = query(SAME)
        .bind(media.id.as_str().to_owned())
        .bind(hash_bytes(media.hash))
        .bind(owner.number)
        .fetch_all(&mut *conn)
        .await?;
    let arrival = match &same[..] {
        [] => {
            let blob = BlobId { hash: media.hash, generation };
            if !is_current(conn, blob).await? {
                bury(conn, blob).await?;
                return Ok(Imported::Expired);
            }
            let arrival = free_arrival(conn, owner.number, arrival).await?;
            create(conn, &MediaRow { generation, ..media.clone() }, owner.number, arrival).await?;
            // The trigger sets it to the arrival of the last row.
            query("UPDATE owners SET arrivals = max(?2, ?3) WHERE number = ?1")
                .bind(owner.number)
                .bind(owner.arrivals)
                .bind(arrival)
                .execute(&mut *conn)
                .await?;
            arrival
        }
        [row] => {
            let there = Columns(row).media()?;
            if (&there.id, &there.owner, there.hash) != (&media.id, &media.owner, media.hash) {
                return Ok(Imported::Conflict);
            }
            row.try_get("arrival")?
        }
        _ => return Ok(Imported::Conflict),
    };
    for scope in scopes {
        query(
            "INSERT INTO refs (media, scope, owner, arrival) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )
        .bind(media.id.as_str().to_owned())
        .bind(scope.as_str().to_owned())
        .bind(owner.number)
        .bind(arrival)
        .execute(&mut *conn)
        .await?;
    }
    Ok(Imported::Done)
}

/// Returns the arrival, or the next one if another media item of the owner has it.
async fn free_arrival(
    conn: &mut SqliteConnection,
    owner: i64,
    arrival: i64,
) -> Result<i64, DbError> {
    let row = query(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM media WHERE owner = ?1 AND arrival = ?2)
             THEN (SELECT max(arrivals, ?2) + 1 FROM owners WHERE number = ?1) ELSE ?2 END AS arrival",
    )
    .bind(owner)
    .bind(arrival)
    .fetch_one(conn)
    .await?;
    Ok(row.try_get("arrival")?)
}
