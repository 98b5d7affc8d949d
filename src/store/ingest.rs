//! The way of an upload, in an order in which no crash leaves a row without bytes.

use std::sync::Arc;

use super::{
    blobs::content_key,
    builder::MakeVariants,
    inner::Store,
    quota::Reservation,
    spool::{Content, Spool, Spooled},
};
use crate::{
    error::{Error, ErrorKind, Result},
    image::PictureSource,
    media::{MediaStatus, Upload, UploadClaims},
    store::db::{Entry, Row},
};

impl Store {
    pub(super) async fn upload(self: &Arc<Self>, upload: Upload) -> Result<Row> {
        let (body, claims) = upload.into_parts()?;
        if self.closing.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the media store is closed"));
        }
        let _admitted = self.uploads.try_acquire().map_err(|_| {
            Error::new(ErrorKind::Unavailable, "as many uploads as may be at once are under way")
        })?;
        let used = match self.quota.limit() {
            Some(_) => self.catalog.stats(&claims.owner).await?.bytes,
            None => 0,
        };
        let mut reservation = self.quota.begin(&claims.owner, used);
        let incoming = self.folder.incoming();
        let spool = Spool {
            incoming: &incoming,
            limit: self.settings.max_bytes,
            patience: self.settings.patience,
        };
        let spooled = spool.read(body, &mut reservation).await?;
        let entry = self.describe(&spooled, claims).await?;
        self.keep(spooled.content, entry, reservation).await
    }

    /// Finds out what it is.
    async fn describe(&self, spooled: &Spooled, claims: UploadClaims) -> Result<Entry> {
        let hint = claims.content_type.as_deref();
        let found = self.pictures.identify(source(&spooled.content), &spooled.head, hint).await?;
        let ahead = self.settings.variants == MakeVariants::Ahead && !claims.skips_processing;
        let status = match found.is_picture() && ahead {
            true => MediaStatus::Processing,
            false => found.status(),
        };
        Ok(Entry {
            owner: claims.owner,
            scope: claims.scope,
            hash: spooled.hash,
            size: spooled.size,
            mime_type: found.mime_type,
            file_name: claims.file_name,
            status,
            metadata: found.metadata,
            exif: found.exif,
        })
    }

    /// Puts bytes and row in their places, whether or not somebody still waits for it.
    async fn keep(
        self: &Arc<Self>,
        content: Content,
        entry: Entry,
        reservation: Reservation,
    ) -> Result<Row> {
        let store = self.clone();
        let kept = self.tasks.spawn(async move {
            let hash = entry.hash;
            // Neither the sweep nor the same bytes of somebody else get in between.
            let _alone = store.catalog.lock(hash).await?;
            // If this process dies from here on, the sweep finds what lies there without a row.
            store.catalog.intend(hash).await?;
            // Also if the same bytes are there: the time it takes tells nobody whether they were
            // (promise P15), and bytes that were lost are restored.
            store.blobs.place(&content_key(hash), content).await?;
            let row = store.catalog.insert(entry, store.quota.limit()).await?;
            drop(reservation);
            if row.status == MediaStatus::Processing {
                store.processing.notify_one();
            }
            Ok(row)
        });
        kept.await.map_err(|panic| {
            Error::new(ErrorKind::Internal, "the upload could not be kept").with_source(panic)
        })?
    }
}

fn source(content: &Content) -> PictureSource {
    match content {
        Content::Memory(bytes) => PictureSource::Bytes(bytes.clone()),
        Content::File(path) => PictureSource::File(path.to_path_buf()),
    }
}
