//! What a store is made of, shared by all its handles and its work in the background.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{blobs::Blobs, builder::StoreBuilder, folder::Folder, quota::Quota};
use crate::util::single_flight::SingleFlight;
use crate::{
    id::MediaId,
    image::{ImageProcessor, Rendered},
    media::{Media, MediaStatus, MediaUrls},
    store::db::{Database, Row},
};

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: StoreBuilder,
    pub(super) folder: Folder,
    pub(super) db: Arc<dyn Database>,
    pub(super) blobs: Blobs,
    pub(super) images: ImageProcessor,
    pub(super) quota: Quota,
    pub(super) uploads: Semaphore,
    /// Renditions being made: of which media, and whether its variants or which transform.
    pub(super) renditions: SingleFlight<(MediaId, String), Arc<[Rendered]>>,
    /// What must be finished although nobody waits for it any more.
    pub(super) tasks: TaskTracker,
    /// Whether there may be pictures whose variants are to be made.
    pub(super) processing: Arc<Notify>,
    pub(super) closing: CancellationToken,
}

impl Inner {
    pub(super) fn new(
        settings: StoreBuilder,
        folder: Folder,
        db: Arc<dyn Database>,
        blobs: Blobs,
        images: ImageProcessor,
        quota: Quota,
    ) -> Self {
        Self {
            uploads: Semaphore::new(settings.max_uploads),
            settings,
            folder,
            db,
            blobs,
            images,
            quota,
            renditions: SingleFlight::new(),
            tasks: TaskTracker::new(),
            processing: Arc::default(),
            closing: CancellationToken::new(),
        }
    }

    /// The record of a row.
    pub(super) fn record(&self, row: Row) -> Media {
        let picture = row.metadata.as_ref().filter(|_| row.status == MediaStatus::Ready);
        let urls = self.urls(&row.id).that_exist(picture);
        let mut media = Media::new(row.id, row.status, row.mime_type, row.size, row.hash, urls);
        media.file_name = row.file_name;
        media.metadata = row.metadata;
        media.exif = row.exif;
        media.created_at = row.created_at;
        media
    }

    pub(super) fn urls(&self, id: &MediaId) -> MediaUrls {
        MediaUrls::all(&self.settings.public_url, id)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}
