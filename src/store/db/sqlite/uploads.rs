//! What an upload changes.

use std::time::SystemTime;

use sqlx::{Row as _, SqliteConnection, query};

use super::{
    decode::{Columns, now, status, tenant, to_integer},
    error::Fault,
    listing::GET,
    writer::Operation,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{MediaStatus, Metadata},
    store::db::records::{Entry, Row},
};

/// Bytes are about to be placed.
pub(super) struct MarkPending(pub(super) ContentHash);

impl Operation for MarkPending {
    type Answer = ();
    const DURABLE: bool = false;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<(), Fault> {
        query(
            "INSERT INTO orphans (hash, since) VALUES (?1, ?2)
             ON CONFLICT (hash) DO UPDATE SET since = excluded.since",
        )
        .bind(self.0.as_bytes().to_vec())
        .bind(now())
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Bytes are placed, and somebody has them.
pub(super) struct Insert {
    pub(super) entry: Entry,
    pub(super) quota: Option<u64>,
    pub(super) id: MediaId,
    pub(super) at: SystemTime,
}

impl Operation for Insert {
    type Answer = Row;
    const DURABLE: bool = true;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<Row, Fault> {
        let owner = self.owner(conn).await?;
        let row = match self.existing(conn, &owner).await? {
            Some(known) => self.again(conn, known).await?,
            None => self.first(conn, &owner).await?,
        };
        query(
            "INSERT INTO refs (media, scope, owner, arrival) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )
        .bind(row.record.id.as_str().to_owned())
        .bind(self.entry.scope.as_str().to_owned())
        .bind(owner.number)
        .bind(row.arrival)
        .execute(&mut *conn)
        .await?;
        query("DELETE FROM orphans WHERE hash = ?1")
            .bind(self.entry.hash.as_bytes().to_vec())
            .execute(conn)
            .await?;
        Ok(row.record)
    }
}

/// Whose it is.
struct Library {
    number: i64,
    arrivals: i64,
    bytes: u64,
}

struct Found {
    arrival: i64,
    record: Row,
}

impl Insert {
    async fn owner(&self, conn: &mut SqliteConnection) -> Result<Library, Fault> {
        // The update changes nothing, and makes the row be returned.
        let rows = query(
            "INSERT INTO owners (tenant, subject) VALUES (?1, ?2)
             ON CONFLICT (tenant, subject) DO UPDATE SET subject = excluded.subject
             RETURNING number, arrivals, bytes",
        )
        .bind(tenant(&self.entry.owner).to_owned())
        .bind(self.entry.owner.subject().to_owned())
        .fetch_all(conn)
        .await?;
        let row = Columns(rows.first().ok_or(sqlx::Error::RowNotFound)?);
        let (number, arrivals) = (row.get("number")?, row.get("arrivals")?);
        Ok(Library { number, arrivals, bytes: row.unsigned("bytes")? })
    }

    async fn existing(
        &self,
        conn: &mut SqliteConnection,
        owner: &Library,
    ) -> Result<Option<Found>, Fault> {
        let row = query("SELECT * FROM records WHERE hash = ?1 AND owner = ?2")
            .bind(self.entry.hash.as_bytes().to_vec())
            .bind(owner.number)
            .fetch_optional(conn)
            .await?;
        row.map(|row| {
            let arrival = row.try_get("arrival")?;
            Ok(Found { arrival, record: Columns(&row).record()? })
        })
        .transpose()
    }

    async fn first(&self, conn: &mut SqliteConnection, owner: &Library) -> Result<Found, Fault> {
        let Entry { hash, size, mime_type, file_name, status: state, metadata, exif, .. } =
            &self.entry;
        if self.quota.is_some_and(|quota| owner.bytes.saturating_add(*size) > quota) {
            let what = "the owner has no room left for that many bytes";
            return Err(Error::new(ErrorKind::TooLarge, what).into());
        }
        let arrival = owner.arrivals + 1;
        let exif = exif.as_ref().map(|exif| serde_json::to_string(exif).expect("EXIF is JSON"));
        let metadata = metadata.as_ref();
        query(
            "INSERT INTO media (id, owner, arrival, hash, size, mime_type, file_name, status,
                 width, height, format, has_alpha, exif, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )
        .bind(self.id.as_str().to_owned())
        .bind(owner.number)
        .bind(arrival)
        .bind(hash.as_bytes().to_vec())
        .bind(to_integer(*size))
        .bind(mime_type.clone())
        .bind(file_name.clone())
        .bind(status(*state))
        .bind(metadata.map(|metadata| metadata.width))
        .bind(metadata.map(|metadata| metadata.height))
        .bind(metadata.and_then(|metadata| metadata.format.clone()))
        .bind(metadata.map(|metadata| metadata.has_alpha))
        .bind(exif)
        .bind(super::decode::to_millis(self.at))
        .execute(&mut *conn)
        .await?;
        Ok(Found { arrival, record: record(conn, &self.id).await? })
    }

    /// Uploading again repairs what could not be processed, and changes nothing else.
    async fn again(&self, conn: &mut SqliteConnection, known: Found) -> Result<Found, Fault> {
        if known.record.status != MediaStatus::Failed {
            return Ok(known);
        }
        let Entry { status, metadata, exif, mime_type, .. } = &self.entry;
        set_status(conn, &known.record.id, *status, metadata.as_ref()).await?;
        let exif = exif.as_ref().map(|exif| serde_json::to_string(exif).expect("EXIF is JSON"));
        query("UPDATE media SET exif = ?2, mime_type = ?3 WHERE id = ?1")
            .bind(known.record.id.as_str().to_owned())
            .bind(exif)
            .bind(mime_type.clone())
            .execute(&mut *conn)
            .await?;
        Ok(Found { record: record(conn, &known.record.id).await?, ..known })
    }
}

async fn record(conn: &mut SqliteConnection, id: &MediaId) -> Result<Row, Fault> {
    let row = query(GET).bind(id.as_str().to_owned()).fetch_one(conn).await?;
    Ok(Columns(&row).record()?)
}

/// Processing went on.
pub(super) struct SetStatus {
    pub(super) id: MediaId,
    pub(super) status: MediaStatus,
    pub(super) metadata: Option<Metadata>,
}

impl Operation for SetStatus {
    type Answer = bool;
    // Lost, it would be processed once more.
    const DURABLE: bool = false;

    async fn apply(&self, conn: &mut SqliteConnection) -> Result<bool, Fault> {
        set_status(conn, &self.id, self.status, self.metadata.as_ref()).await
    }
}

/// Without metadata, what was known of it stays.
async fn set_status(
    conn: &mut SqliteConnection,
    id: &MediaId,
    state: MediaStatus,
    metadata: Option<&Metadata>,
) -> Result<bool, Fault> {
    let changed = match metadata {
        None => query("UPDATE media SET status = ?2 WHERE id = ?1"),
        Some(_) => query(
            "UPDATE media SET status = ?2, width = ?3, height = ?4, format = ?5, has_alpha = ?6
             WHERE id = ?1",
        ),
    }
    .bind(id.as_str().to_owned())
    .bind(status(state));
    let changed = match metadata {
        None => changed,
        Some(metadata) => changed
            .bind(metadata.width)
            .bind(metadata.height)
            .bind(metadata.format.clone())
            .bind(metadata.has_alpha),
    };
    Ok(changed.execute(conn).await?.rows_affected() > 0)
}
