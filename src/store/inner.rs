//! What a store is made of, shared by all its handles and its work in the background.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{blobs::Blobs, builder::EmbeddedBuilder, folder::Folder, quota::Quota};
use crate::util::single_flight::Flights;
use crate::{
    id::MediaId,
    image::{Pictures, Rendered},
    media::{Media, MediaStatus, MediaUrls},
    store::db::{Catalog, Row},
};

#[derive(Debug)]
pub(super) struct Store {
    pub(super) settings: EmbeddedBuilder,
    pub(super) folder: Folder,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) blobs: Blobs,
    pub(super) pictures: Pictures,
    pub(super) quota: Quota,
    pub(super) uploads: Semaphore,
    /// Renditions being made: of which media, and whether its variants or which transform.
    pub(super) renditions: Flights<(MediaId, String), Arc<[Rendered]>>,
    /// What must be finished although nobody waits for it any more.
    pub(super) tasks: TaskTracker,
    /// Whether there may be pictures whose variants are to be made.
    pub(super) processing: Arc<Notify>,
    pub(super) closing: CancellationToken,
}

impl Store {
    pub(super) fn new(
        settings: EmbeddedBuilder,
        folder: Folder,
        catalog: Arc<dyn Catalog>,
        blobs: Blobs,
        pictures: Pictures,
        quota: Quota,
    ) -> Self {
        Self {
            uploads: Semaphore::new(settings.max_uploads),
            settings,
            folder,
            catalog,
            blobs,
            pictures,
            quota,
            renditions: Flights::new(),
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
        media.original_name = row.file_name;
        media.metadata = row.metadata;
        media.exif = row.exif;
        media.created_at = row.created_at;
        media
    }

    pub(super) fn urls(&self, id: &MediaId) -> MediaUrls {
        MediaUrls::all(&self.settings.public_url, id)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}
