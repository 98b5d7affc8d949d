//! The way of an upload, in an order in which no crash leaves a row without bytes.

use std::sync::Arc;

use super::{
    blobs::content_key,
    builder::MakeVariants,
    inner::Inner,
    quota::Reservation,
    spool::{Content, Spool},
};
use crate::{
    error::{Error, ErrorKind, Result},
    image::ImageSource,
    media::{MediaStatus, Upload},
    owner::Owner,
    store::db::{Entry, Row},
};

impl Inner {
    pub(super) async fn upload(self: &Arc<Self>, owner: &Owner, upload: Upload) -> Result<Row> {
        let parts = upload.into_parts()?;
        if self.closing.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the media store is closed"));
        }
        let _admitted = self.uploads.try_acquire().map_err(|_| {
            Error::new(ErrorKind::Unavailable, "as many uploads as may be at once are under way")
        })?;
        let used = match self.quota.limit() {
            Some(_) => self.db.stats(owner).await?.bytes,
            None => 0,
        };
        let mut reservation = self.quota.begin(owner, used);
        let incoming = self.folder.incoming();
        let spool = Spool {
            incoming: &incoming,
            limit: self.settings.max_bytes,
            patience: self.settings.patience,
        };
        let spooled = spool.read(parts.body, &mut reservation).await?;
        let hint = parts.content_type.as_deref();
        let found = self.images.identify(source(&spooled.content), &spooled.head, hint).await?;
        let ahead = self.settings.variants == MakeVariants::Ahead && !parts.skips_processing;
        let status = match found.is_picture() && ahead {
            true => MediaStatus::Processing,
            false => found.status(),
        };
        let entry = Entry {
            owner: owner.clone(),
            scope: parts.scope,
            hash: spooled.hash,
            size: spooled.size,
            mime_type: found.mime_type,
            file_name: parts.file_name,
            status,
            metadata: found.metadata,
            exif: found.exif,
        };
        self.keep(spooled.content, entry, reservation).await
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
            let _alone = store.db.lock(hash).await?;
            // If this process dies from here on, the sweep finds what lies there without a row.
            store.db.mark_pending(hash).await?;
            // Also if the same bytes are there: the time it takes tells nobody whether they were
            // (promise P15), and bytes that were lost are restored.
            store.blobs.place(&content_key(hash), content).await?;
            let row = store.db.insert(entry, store.quota.limit()).await?;
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

fn source(content: &Content) -> ImageSource {
    match content {
        Content::Memory(bytes) => ImageSource::Bytes(bytes.clone()),
        Content::File(path) => ImageSource::File(path.to_path_buf()),
    }
}
