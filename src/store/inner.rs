//! The parts of a store, shared by its handles and its background tasks.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    blobs::Blobs,
    db::{Database, MediaRow},
    folder::Folder,
    settings::Settings,
};
use crate::{
    id::MediaId,
    image::{ImageProcessor, Rendered},
    media::{Media, MediaStatus, MediaUrls},
    util::single_flight::SingleFlight,
};

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) folder: Folder,
    pub(super) db: Arc<dyn Database>,
    pub(super) blobs: Blobs,
    pub(super) images: ImageProcessor,
    pub(super) uploads: Semaphore,
    /// Single-flight of rendering, by media id and the keys of the transforms.
    pub(super) renditions: SingleFlight<(MediaId, String), Arc<[Rendered]>>,
    /// Tasks that run to completion even if their caller is dropped.
    pub(super) tasks: TaskTracker,
    /// Wakes the variant worker.
    pub(super) variants_pending: Arc<Notify>,
    pub(super) closing: CancellationToken,
}

impl Inner {
    pub(super) fn new(
        settings: Settings,
        folder: Folder,
        db: Arc<dyn Database>,
        blobs: Blobs,
        images: ImageProcessor,
    ) -> Self {
        Self {
            uploads: Semaphore::new(settings.max_uploads),
            settings,
            folder,
            db,
            blobs,
            images,
            renditions: SingleFlight::new(),
            tasks: TaskTracker::new(),
            variants_pending: Arc::default(),
            closing: CancellationToken::new(),
        }
    }

    /// Converts a row to the public record.
    pub(super) fn record(&self, row: MediaRow) -> Media {
        let image = row.metadata.as_ref().filter(|_| row.status == MediaStatus::Ready);
        let urls = self.urls(&row.id).that_exist(image);
        let mut media = Media::new(row.id, row.status, row.mime_type, row.size, row.hash, urls);
        media.failure_reason = row.failure_reason;
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
