//! Writes of an upload and of its processing.

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use sqlx::{Row as _, SqliteConnection, query};

use super::{
    blobs::bury,
    decode::{Columns, each, exif_json, hash_bytes, now, status, tenant, to_integer, to_millis},
    engine::SqliteDatabase,
    error::DbError,
    listing::GET,
    writer::Durability,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{FailureReason, MediaStatus},
    owner::Owner,
    store::db::{BlobId, Generation, MediaRow, NewMedia, OwnerRow, UploadQueries, over_quota},
};

pub(super) const PROCESSING: &str =
    "SELECT id FROM media WHERE status = 'processing' ORDER BY number LIMIT ?1";

pub(super) const CURRENT: &str = "SELECT 1 FROM contents WHERE hash = ?1 AND generation = ?2";

impl UploadQueries for SqliteDatabase {
    fn reserve(&self, hash: ContentHash, size: u64) -> BoxFuture<'_, Result<BlobId>> {
        self.writer.run(Durability::Deferred, move |conn| Box::pin(reserve(conn, hash, size)))
    }

    fn insert(
        &self,
        media: NewMedia,
        generation: Generation,
        quota: Option<u64>,
    ) -> BoxFuture<'_, Result<Option<MediaRow>>> {
        let blob = BlobId { hash: media.hash, generation };
        let insert = Insert { media, blob, quota, id: MediaId::random(), at: SystemTime::now() };
        self.writer.run(Durability::Immediate, move |conn| Box::pin(insert.apply(conn)))
    }

    fn set_status<'a>(
        &'a self,
        id: &'a MediaId,
        status: MediaStatus,
        failure_reason: Option<FailureReason>,
    ) -> BoxFuture<'a, Result<bool>> {
        let id = id.clone();
        // If the status is lost in a power failure, the media is processed once more.
        self.writer.run(Durability::Deferred, move |conn| {
            Box::pin(set_status(conn, id, status, failure_reason))
        })
    }

    fn processing(&self, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let rows = self.queries.all(query(PROCESSING).bind(limit as i64)).await?;
            each(&rows, |row| row.id("id"))
        })
    }
}

async fn reserve(
    conn: &mut SqliteConnection,
    hash: ContentHash,
    size: u64,
) -> Result<BlobId, DbError> {
    let rows = query(
        "INSERT INTO contents (hash, generation, size, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (hash) DO UPDATE SET since = excluded.since
         RETURNING hash, generation",
    )
    .bind(hash_bytes(hash))
    .bind(Generation::random().number())
    .bind(to_integer(size))
    .bind(now())
    .fetch_all(conn)
    .await?;
    Ok(Columns(rows.first().ok_or(sqlx::Error::RowNotFound)?).blob_id()?)
}

async fn set_status(
    conn: &mut SqliteConnection,
    id: MediaId,
    new: MediaStatus,
    failure_reason: Option<FailureReason>,
) -> Result<bool, DbError> {
    let changed = query("UPDATE media SET status = ?2, failure_reason = ?3 WHERE id = ?1")
        .bind(id.as_str().to_owned())
        .bind(status(new))
        .bind(failure_reason.map(FailureReason::as_str))
        .execute(conn)
        .await?;
    Ok(changed.rows_affected() > 0)
}

struct Insert {
    media: NewMedia,
    blob: BlobId,
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
    async fn apply(self, conn: &mut SqliteConnection) -> Result<Option<MediaRow>, DbError> {
        if !is_current(conn, self.blob).await? {
            bury(conn, self.blob).await?;
            return Ok(None);
        }
        let owner = owner_row(conn, &self.media.owner).await?;
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
        .execute(conn)
        .await?;
        Ok(Some(inserted.row))
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
            return Err(over_quota(quota).into());
        }
        let arrival = owner.arrivals + 1;
        let created = MediaRow {
            id: self.id.clone(),
            owner: self.media.owner.clone(),
            hash: *hash,
            generation: self.blob.generation,
            size: *size,
            mime_type: mime_type.clone(),
            file_name: file_name.clone(),
            status: self.media.status,
            failure_reason: self.media.failure_reason,
            metadata: metadata.clone(),
            exif: self.media.exif.clone(),
            created_at: self.at,
        };
        create(conn, &created, owner.number, arrival).await?;
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
                 format = ?7, has_alpha = ?8, failure_reason = ?9
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
        .bind(self.media.failure_reason.map(FailureReason::as_str))
        .execute(&mut *conn)
        .await?;
        Ok(Inserted { arrival: existing.arrival, row: fetch(conn, &existing.row.id).await? })
    }
}

/// Inserts a media row. Triggers count it for its owner and its content.
pub(super) async fn create(
    conn: &mut SqliteConnection,
    media: &MediaRow,
    owner: i64,
    arrival: i64,
) -> Result<(), DbError> {
    let metadata = media.metadata.as_ref();
    query(
        "INSERT INTO media (id, owner, arrival, hash, size, mime_type, file_name, status,
             failure_reason, width, height, format, has_alpha, exif, created_at, generation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )
    .bind(media.id.as_str().to_owned())
    .bind(owner)
    .bind(arrival)
    .bind(hash_bytes(media.hash))
    .bind(to_integer(media.size))
    .bind(media.mime_type.clone())
    .bind(media.file_name.clone())
    .bind(status(media.status))
    .bind(media.failure_reason.map(FailureReason::as_str))
    .bind(metadata.map(|metadata| metadata.width))
    .bind(metadata.map(|metadata| metadata.height))
    .bind(metadata.and_then(|metadata| metadata.format.clone()))
    .bind(metadata.map(|metadata| metadata.has_alpha))
    .bind(exif_json(media.exif.as_ref()))
    .bind(to_millis(media.created_at))
    .bind(media.generation.number())
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the row of an owner, creating it if it is missing. The update changes nothing, but makes an existing
/// row be returned.
pub(super) async fn owner_row(
    conn: &mut SqliteConnection,
    owner: &Owner,
) -> Result<OwnerRow, DbError> {
    let rows = query(
        "INSERT INTO owners (tenant, subject) VALUES (?1, ?2)
         ON CONFLICT (tenant, subject) DO UPDATE SET subject = excluded.subject
         RETURNING number, arrivals, count, bytes, ready",
    )
    .bind(tenant(owner).to_owned())
    .bind(owner.subject().to_owned())
    .fetch_all(conn)
    .await?;
    Ok(Columns(rows.first().ok_or(sqlx::Error::RowNotFound)?).owner_row()?)
}

/// Returns whether the content still has the generation that was reserved.
pub(super) async fn is_current(conn: &mut SqliteConnection, blob: BlobId) -> Result<bool, DbError> {
    let current = query(CURRENT)
        .bind(hash_bytes(blob.hash))
        .bind(blob.generation.number())
        .fetch_optional(conn)
        .await?;
    Ok(current.is_some())
}

async fn fetch(conn: &mut SqliteConnection, id: &MediaId) -> Result<MediaRow, DbError> {
    let row = query(GET).bind(id.as_str().to_owned()).fetch_one(conn).await?;
    Ok(Columns(&row).media()?)
}
