//! Writes of an upload and of its processing.

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use sqlx::{Row as _, SqliteConnection, query};

use super::{
    decode::{Columns, each, exif_json, hash_bytes, now, status, tenant, to_integer, to_millis},
    engine::SqliteDatabase,
    error::{self, DbError},
    listing::GET,
    writer::Durability,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::MediaStatus,
    store::db::{MediaRow, NewMedia, OwnerRow, UploadQueries},
};

pub(super) const PROCESSING: &str =
    "SELECT id FROM media WHERE status = 'processing' ORDER BY number LIMIT ?1";

impl UploadQueries for SqliteDatabase {
    fn mark_pending(&self, hash: ContentHash) -> BoxFuture<'_, Result<()>> {
        self.writer.run(Durability::Deferred, move |conn| Box::pin(mark_pending(conn, hash)))
    }

    fn insert(&self, media: NewMedia, quota: Option<u64>) -> BoxFuture<'_, Result<MediaRow>> {
        let insert = Insert { media, quota, id: MediaId::random(), at: SystemTime::now() };
        self.writer.run(Durability::Immediate, move |conn| Box::pin(insert.apply(conn)))
    }

    fn set_status<'a>(
        &'a self,
        id: &'a MediaId,
        status: MediaStatus,
    ) -> BoxFuture<'a, Result<bool>> {
        let id = id.clone();
        // If the status is lost in a power failure, the media is processed once more.
        self.writer.run(Durability::Deferred, move |conn| Box::pin(set_status(conn, id, status)))
    }

    fn processing(&self, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let rows = self.queries.all(query(PROCESSING).bind(limit as i64)).await?;
            each(&rows, |row| row.id("id"))
        })
    }
}

async fn mark_pending(conn: &mut SqliteConnection, hash: ContentHash) -> Result<(), DbError> {
    query(
        "INSERT INTO orphans (hash, since) VALUES (?1, ?2)
         ON CONFLICT (hash) DO UPDATE SET since = excluded.since",
    )
    .bind(hash_bytes(hash))
    .bind(now())
    .execute(conn)
    .await?;
    Ok(())
}

async fn set_status(
    conn: &mut SqliteConnection,
    id: MediaId,
    new: MediaStatus,
) -> Result<bool, DbError> {
    let changed = query("UPDATE media SET status = ?2 WHERE id = ?1")
        .bind(id.as_str().to_owned())
        .bind(status(new))
        .execute(conn)
        .await?;
    Ok(changed.rows_affected() > 0)
}

struct Insert {
    media: NewMedia,
    quota: Option<u64>,
    id: MediaId,
    at: SystemTime,
}

/// A media row and its arrival number.
struct Inserted {
    arrival: i64,
    row: MediaRow,
}

impl Insert {
    async fn apply(self, conn: &mut SqliteConnection) -> Result<MediaRow, DbError> {
        let owner = self.owner(conn).await?;
        let inserted = match self.existing(conn, &owner).await? {
            Some(existing) => self.repair(conn, existing).await?,
            None => self.create(conn, &owner).await?,
        };
        query(
            "INSERT INTO refs (media, scope, owner, arrival) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )
        .bind(inserted.row.id.as_str().to_owned())
        .bind(self.media.scope.as_str().to_owned())
        .bind(owner.number)
        .bind(inserted.arrival)
        .execute(&mut *conn)
        .await?;
        query("DELETE FROM orphans WHERE hash = ?1")
            .bind(hash_bytes(self.media.hash))
            .execute(conn)
            .await?;
        Ok(inserted.row)
    }

    async fn owner(&self, conn: &mut SqliteConnection) -> Result<OwnerRow, DbError> {
        // The update changes nothing, but makes an existing row be returned.
        let rows = query(
            "INSERT INTO owners (tenant, subject) VALUES (?1, ?2)
             ON CONFLICT (tenant, subject) DO UPDATE SET subject = excluded.subject
             RETURNING number, arrivals, count, bytes, ready",
        )
        .bind(tenant(&self.media.owner).to_owned())
        .bind(self.media.owner.subject().to_owned())
        .fetch_all(conn)
        .await?;
        Ok(Columns(rows.first().ok_or(sqlx::Error::RowNotFound)?).owner_row()?)
    }

    async fn existing(
        &self,
        conn: &mut SqliteConnection,
        owner: &OwnerRow,
    ) -> Result<Option<Inserted>, DbError> {
        let row = query("SELECT * FROM records WHERE hash = ?1 AND owner = ?2")
            .bind(hash_bytes(self.media.hash))
            .bind(owner.number)
            .fetch_optional(conn)
            .await?;
        row.map(|row| {
            let arrival = row.try_get("arrival")?;
            Ok(Inserted { arrival, row: Columns(&row).media()? })
        })
        .transpose()
    }

    async fn create(
        &self,
        conn: &mut SqliteConnection,
        owner: &OwnerRow,
    ) -> Result<Inserted, DbError> {
        let NewMedia { hash, size, mime_type, file_name, metadata, .. } = &self.media;
        if let Some(quota) = self.quota
            && owner.stats.bytes.saturating_add(*size) > quota
        {
            return Err(error::over_quota(quota).into());
        }
        let arrival = owner.arrivals + 1;
        let metadata = metadata.as_ref();
        query(
            "INSERT INTO media (id, owner, arrival, hash, size, mime_type, file_name, status,
                 width, height, format, has_alpha, exif, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )
        .bind(self.id.as_str().to_owned())
        .bind(owner.number)
        .bind(arrival)
        .bind(hash_bytes(*hash))
        .bind(to_integer(*size))
        .bind(mime_type.clone())
        .bind(file_name.clone())
        .bind(status(self.media.status))
        .bind(metadata.map(|metadata| metadata.width))
        .bind(metadata.map(|metadata| metadata.height))
        .bind(metadata.and_then(|metadata| metadata.format.clone()))
        .bind(metadata.map(|metadata| metadata.has_alpha))
        .bind(exif_json(self.media.exif.as_ref()))
        .bind(to_millis(self.at))
        .execute(&mut *conn)
        .await?;
        Ok(Inserted { arrival, row: fetch(conn, &self.id).await? })
    }

    /// A repeated upload repairs a row whose processing failed, and changes nothing else.
    async fn repair(
        &self,
        conn: &mut SqliteConnection,
        existing: Inserted,
    ) -> Result<Inserted, DbError> {
        if existing.row.status != MediaStatus::Failed {
            return Ok(existing);
        }
        let NewMedia { mime_type, metadata, .. } = &self.media;
        let old = existing.row.metadata;
        let metadata = metadata.as_ref().or(old.as_ref());
        query(
            "UPDATE media SET status = ?2, mime_type = ?3, exif = ?4, width = ?5, height = ?6,
                 format = ?7, has_alpha = ?8
             WHERE id = ?1",
        )
        .bind(existing.row.id.as_str().to_owned())
        .bind(status(self.media.status))
        .bind(mime_type.clone())
        .bind(exif_json(self.media.exif.as_ref()))
        .bind(metadata.map(|metadata| metadata.width))
        .bind(metadata.map(|metadata| metadata.height))
        .bind(metadata.and_then(|metadata| metadata.format.clone()))
        .bind(metadata.map(|metadata| metadata.has_alpha))
        .execute(&mut *conn)
        .await?;
        Ok(Inserted { arrival: existing.arrival, row: fetch(conn, &existing.row.id).await? })
    }
}

async fn fetch(conn: &mut SqliteConnection, id: &MediaId) -> Result<MediaRow, DbError> {
    let row = query(GET).bind(id.as_str().to_owned()).fetch_one(conn).await?;
    Ok(Columns(&row).media()?)
}
