//! Ingest of an upload, ordered so that no crash leaves a row without bytes (promise R2).

use std::sync::Arc;

use super::{
    blobs::{BlobSource, blob_key, is_disk_full},
    db::{MediaRow, NewMedia},
    inner::Inner,
    settings::MakeVariants,
    spool::Spool,
};
use crate::{
    error::{Error, ErrorKind, Result},
    image::ImageSource,
    media::{MediaStatus, Upload},
    owner::Owner,
};

/// Number of attempts at an upload whose content is collected before it is committed.
pub(super) const ATTEMPTS: usize = 8;

impl Inner {
    pub(super) async fn upload(
        self: &Arc<Self>,
        owner: &Owner,
        upload: Upload,
    ) -> Result<MediaRow> {
        let parts = upload.into_parts()?;
        if self.closing.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the media store is closed"));
        }
        let _permit = self.uploads.try_acquire().map_err(|_| {
            let max = self.settings.max_uploads;
            let message = format!("{max} uploads are in progress, which is the limit; retry later");
            Error::new(ErrorKind::Unavailable, message)
        })?;
        let used = match self.settings.quota {
            Some(_) => self.db.stats(owner).await?.bytes,
            None => 0,
        };
        let spooled = Spool { inner: self, used: Some(used) }.read(parts.body).await?;
        let hint = parts.content_type.as_deref();
        let source = image_source(&spooled.source);
        let identity = self.images.identify(owner, source, &spooled.head, hint).await?;
        let ahead = self.settings.variants == MakeVariants::Ahead && !parts.skips_processing;
        let status = match identity.is_image() && ahead {
            true => MediaStatus::Processing,
            false => identity.status(),
        };
        let media = NewMedia {
            owner: owner.clone(),
            scope: parts.scope,
            hash: spooled.hash,
            size: spooled.size,
            mime_type: identity.mime_type,
            file_name: parts.file_name,
            status,
            failure_reason: identity.failure,
            metadata: identity.metadata,
            exif: identity.exif,
        };
        self.commit_upload(spooled.source, media).await
    }

    /// Stores the blob and inserts the row, even if the caller is dropped.
    async fn commit_upload(
        self: &Arc<Self>,
        source: BlobSource,
        media: NewMedia,
    ) -> Result<MediaRow> {
        let inner = self.clone();
        let committed = self.tasks.spawn(async move {
            let row = match inner.write(&source, &media).await {
                // Renditions can be made again, so they make room for uploads (promise R10).
                Err(error) if is_disk_full(&error) && inner.free(media.size).await? => {
                    inner.write(&source, &media).await?
                }
                written => written?,
            };
            if row.status == MediaStatus::Processing {
                inner.variants_pending.notify_one();
            }
            Ok(row)
        });
        committed.await.map_err(|panic| {
            Error::new(ErrorKind::Internal, "the upload could not be stored").with_source(panic)
        })?
    }
}

impl Inner {
    /// Reserves the content, places its bytes and commits the row, as [`Database`](super::db::Database) describes.
    async fn write(&self, source: &BlobSource, media: &NewMedia) -> Result<MediaRow> {
        for _ in 0..ATTEMPTS {
            // If the process dies from here on, garbage collection finds the blob without a row.
            let blob = self.db.reserve(media.hash, media.size).await?;
            // Existing bytes are written as well: the time reveals nothing of other owners (promise P15),
            // and lost bytes are restored.
            self.blobs.put(&blob_key(blob), source).await?;
            let quota = self.settings.quota;
            if let Some(row) = self.db.insert(media.clone(), blob.generation, quota).await? {
                return Ok(row);
            }
        }
        let message = format!(
            "storing the bytes took longer than the grace period in {ATTEMPTS} attempts; set a longer one"
        );
        Err(Error::new(ErrorKind::Unavailable, message))
    }
}

fn image_source(source: &BlobSource) -> ImageSource {
    match source {
        BlobSource::Memory(bytes) => ImageSource::Bytes(bytes.clone()),
        BlobSource::File(path) => ImageSource::File(path.to_path_buf()),
    }
}
