//! Writes of an upload and of its processing.

use std::time::SystemTime;

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, postgres::PgRow, query};

use super::{
    blobs::bury,
    decode::{
        Columns, each, exif_json, hash_bytes, records, status, tenant, to_integer, to_millis,
    },
    engine::PostgresDatabase,
    error::{DbError, over_quota},
    listing::GET,
    pool::Repeat,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{Exif, FailureReason, MediaStatus, Metadata},
    owner::Owner,
    store::db::{BlobId, Generation, MediaRow, NewMedia, OwnerRow, UploadQueries},
};

pub(super) const PROCESSING: &str =
    "SELECT id FROM tower_media.media WHERE status = 'processing' ORDER BY number LIMIT $1";

/// Creates the owner, or locks the row that exists. The update changes nothing, but makes it be returned.
const LOCK_OR_CREATE_OWNER: &str = "
    INSERT INTO tower_media.owners (tenant, subject) VALUES ($1, $2)
    ON CONFLICT (tenant, subject) DO UPDATE SET subject = excluded.subject
    RETURNING number, arrivals, count, bytes, ready
";

/// Locks the content until the end of the transaction, if it still has the generation that was reserved.
pub(super) const LOCK_CURRENT: &str = "
    SELECT 1 FROM tower_media.contents WHERE hash = $1 AND generation = $2 FOR NO KEY UPDATE
";

pub(super) const EXISTING: &str = records!("WHERE hash = $1 AND owner = $2");

/// Inserts the media row, counts it for its owner, and counts the reference of its content.
const CREATE: &str = "
    WITH
        owner AS (
            UPDATE tower_media.owners
            SET arrivals = greatest(arrivals, $3), count = count + 1, bytes = bytes + $6,
                ready = ready + ($9 = 'ready')::int
            WHERE number = $2
        ),
        content AS (
            UPDATE tower_media.contents SET refs = refs + 1 WHERE hash = $4
        )
    INSERT INTO tower_media.media (id, owner, arrival, hash, generation, size, mime_type, file_name, status,
        width, height, format, has_alpha, exif, date_taken, has_location, failure_reason, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, coalesce($15, '~'), $16, $17,
        coalesce($18, tower_media.now_millis()))
";

/// Changes the status of media and the total of its owner, whose row is locked.
const SET_STATUS: &str = "
    WITH
        old AS (SELECT number, owner, status FROM tower_media.media WHERE id = $1),
        changed AS (
            UPDATE tower_media.owners
            SET ready = ready + ($2 = 'ready')::int - (old.status = 'ready')::int
            FROM old WHERE owners.number = old.owner
        )
    UPDATE tower_media.media SET status = $2, failure_reason = $3 FROM old WHERE media.number = old.number
";

const REPAIR: &str = "
    UPDATE tower_media.media
    SET mime_type = $2, exif = $3, width = $4, height = $5, format = $6, has_alpha = $7,
        date_taken = coalesce($8, '~'), has_location = $9
    WHERE id = $1
";

impl UploadQueries for PostgresDatabase {
    fn reserve(&self, hash: ContentHash, size: u64) -> BoxFuture<'_, Result<BlobId>> {
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| {
            let row = query(
                "INSERT INTO tower_media.contents (hash, generation, size, since)
                 VALUES ($1, $2, $3, tower_media.now_millis())
                 ON CONFLICT (hash) DO UPDATE SET since = tower_media.now_millis()
                 RETURNING hash, generation",
            )
            .bind(hash_bytes(hash))
            .bind(Generation::random().number())
            .bind(to_integer(size))
            .persistent(false)
            .fetch_one(conn)
            .await?;
            Ok(Columns(&row).blob_id()?)
        }))
    }

    fn insert(
        &self,
        media: NewMedia,
        generation: Generation,
        quota: Option<u64>,
    ) -> BoxFuture<'_, Result<Option<MediaRow>>> {
        let insert = Insert { media, generation, quota, id: MediaId::random() };
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| insert.apply(conn).await))
    }

    fn set_status<'a>(
        &'a self,
        id: &'a MediaId,
        status: MediaStatus,
        failure_reason: Option<FailureReason>,
    ) -> BoxFuture<'a, Result<bool>> {
        let id = id.clone();
        Box::pin(self.pool.write(Repeat::Harmless, async move |conn| {
            // Every change of an owner's media holds this lock, so the next statement sees the last one.
            query(
                "SELECT 1 FROM tower_media.owners
                 WHERE number = (SELECT owner FROM tower_media.media WHERE id = $1)
                 FOR NO KEY UPDATE",
            )
            .bind(id.as_str().to_owned())
            .persistent(false)
            .execute(&mut *conn)
            .await?;
            set_status(conn, &id, status, failure_reason).await
        }))
    }

    fn processing(&self, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>> {
        Box::pin(self.pool.read(async move |conn| {
            let statement = query(PROCESSING).bind(limit as i64).persistent(false);
            Ok(each(&statement.fetch_all(conn).await?, |row| row.id("id"))?)
        }))
    }
}

async fn set_status(
    conn: &mut PgConnection,
    id: &MediaId,
    new: MediaStatus,
    failure_reason: Option<FailureReason>,
) -> Result<bool, DbError> {
    let changed = query(SET_STATUS)
        .bind(id.as_str().to_owned())
        .bind(status(new))
        .bind(failure_reason.map(FailureReason::as_str))
        .persistent(false)
        .execute(conn)
        .await?;
    Ok(changed.rows_affected() > 0)
}

struct Insert {
    media: NewMedia,
    generation: Generation,
    quota: Option<u64>,
    id: MediaId,
}

/// A media row and its arrival number.
struct Inserted {
    arrival: i64,
    row: MediaRow,
}

impl Insert {
    async fn apply(&self, conn: &mut PgConnection) -> Result<Option<MediaRow>, DbError> {
        let owner = owner_row(conn, &self.media.owner).await?;
        let blob = BlobId { hash: self.media.hash, generation: self.generation };
        if !is_current(conn, blob).await? {
            bury(conn, blob).await?;
            return Ok(None);
        }
        let inserted = match self.existing(conn, &owner).await? {
            Some(existing) => self.repair(conn, existing).await?,
            None => self.create(conn, &owner).await?,
        };
        query(
            "INSERT INTO tower_media.refs (media, scope, owner, arrival) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(inserted.row.id.as_str().to_owned())
        .bind(self.media.scope.as_str().to_owned())
        .bind(owner.number)
        .bind(inserted.arrival)
        .persistent(false)
        .execute(conn)
        .await?;
        Ok(Some(inserted.row))
    }

    async fn existing(
        &self,
        conn: &mut PgConnection,
        owner: &OwnerRow,
    ) -> Result<Option<Inserted>, DbError> {
        let row = query(EXISTING)
            .bind(hash_bytes(self.media.hash))
            .bind(owner.number)
            .persistent(false)
            .fetch_optional(conn)
            .await?;
        Ok(row.as_ref().map(inserted).transpose()?)
    }

    async fn create(&self, conn: &mut PgConnection, owner: &OwnerRow) -> Result<Inserted, DbError> {
        let NewMedia { hash, size, mime_type, file_name, exif, .. } = &self.media;
        if let Some(quota) = self.quota
            && owner.stats.bytes.saturating_add(*size) > quota
        {
            return Err(over_quota(quota).into());
        }
        let created = MediaRow {
            id: self.id.clone(),
            owner: self.media.owner.clone(),
            hash: *hash,
            generation: self.generation,
            size: *size,
            mime_type: mime_type.clone(),
            file_name: file_name.clone(),
            status: self.media.status,
            failure_reason: self.media.failure_reason,
            metadata: self.media.metadata.clone(),
            exif: exif.clone(),
            created_at: SystemTime::UNIX_EPOCH,
        };
        create(conn, &created, owner.number, owner.arrivals + 1, None).await?;
        self.fetch(conn, &self.id).await
    }

    /// A repeated upload repairs a row whose processing failed, and changes nothing else.
    async fn repair(
        &self,
        conn: &mut PgConnection,
        existing: Inserted,
    ) -> Result<Inserted, DbError> {
        let old = existing.row;
        if old.status != MediaStatus::Failed {
            return Ok(Inserted { row: old, ..existing });
        }
        let metadata: Option<&Metadata> = self.media.metadata.as_ref().or(old.metadata.as_ref());
        query(REPAIR)
            .bind(old.id.as_str().to_owned())
            .bind(self.media.mime_type.clone())
            .bind(exif_json(self.media.exif.as_ref()))
            .bind(metadata.map(|metadata| i64::from(metadata.width)))
            .bind(metadata.map(|metadata| i64::from(metadata.height)))
            .bind(metadata.and_then(|metadata| metadata.format.clone()))
            .bind(metadata.map(|metadata| metadata.has_alpha))
            .bind(date_taken(self.media.exif.as_ref()))
            .bind(has_location(self.media.exif.as_ref()))
            .persistent(false)
            .execute(&mut *conn)
            .await?;
        set_status(conn, &old.id, self.media.status, self.media.failure_reason).await?;
        self.fetch(conn, &old.id).await
    }

    async fn fetch(&self, conn: &mut PgConnection, id: &MediaId) -> Result<Inserted, DbError> {
        let statement = query(GET).bind(id.as_str().to_owned()).persistent(false);
        Ok(inserted(&statement.fetch_one(conn).await?)?)
    }
}

/// Returns the row of an owner, creating it if it is missing, and locks it until the end of the transaction.
pub(super) async fn owner_row(conn: &mut PgConnection, owner: &Owner) -> Result<OwnerRow, DbError> {
    let row = query(LOCK_OR_CREATE_OWNER)
        .bind(tenant(owner).to_owned())
        .bind(owner.subject().to_owned())
        .persistent(false)
        .fetch_one(conn)
        .await?;
    Ok(Columns(&row).owner_row()?)
}

/// Returns whether the content still has the generation that was reserved, and locks it then.
pub(super) async fn is_current(conn: &mut PgConnection, blob: BlobId) -> Result<bool, DbError> {
    let current = query(LOCK_CURRENT)
        .bind(hash_bytes(blob.hash))
        .bind(blob.generation.number())
        .persistent(false)
        .fetch_optional(conn)
        .await?;
    Ok(current.is_some())
}

/// Inserts a media row, at this time or by the clock of the database, and counts it for its owner and its
/// content.
pub(super) async fn create(
    conn: &mut PgConnection,
    media: &MediaRow,
    owner: i64,
    arrival: i64,
    at: Option<SystemTime>,
) -> Result<(), DbError> {
    let metadata = media.metadata.as_ref();
    query(CREATE)
        .bind(media.id.as_str().to_owned())
        .bind(owner)
        .bind(arrival)
        .bind(hash_bytes(media.hash))
        .bind(media.generation.number())
        .bind(to_integer(media.size))
        .bind(media.mime_type.clone())
        .bind(media.file_name.clone())
        .bind(status(media.status))
        .bind(metadata.map(|metadata| i64::from(metadata.width)))
        .bind(metadata.map(|metadata| i64::from(metadata.height)))
        .bind(metadata.and_then(|metadata| metadata.format.clone()))
        .bind(metadata.map(|metadata| metadata.has_alpha))
        .bind(exif_json(media.exif.as_ref()))
        .bind(date_taken(media.exif.as_ref()))
        .bind(has_location(media.exif.as_ref()))
        .bind(media.failure_reason.map(FailureReason::as_str))
        .bind(at.map(to_millis))
        .persistent(false)
        .execute(conn)
        .await?;
    Ok(())
}

fn date_taken(exif: Option<&Exif>) -> Option<String> {
    exif?.date_taken.clone().filter(|date| !date.contains('\0'))
}

fn has_location(exif: Option<&Exif>) -> bool {
    exif.is_some_and(|exif| exif.gps_latitude.is_some() && exif.gps_longitude.is_some())
}

fn inserted(row: &PgRow) -> Result<Inserted> {
    Ok(Inserted { arrival: Columns(row).integer("arrival")?, row: Columns(row).media()? })
}
