//! The handle of a store, and its `MediaBackend` implementation.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    blobs::{blob_key, damaged},
    db::{BlobId, Generation, Listing, Matches, MediaRow},
    gc::{GcReport, Verification},
    inner::Inner,
    renditions::missing_blob,
    settings::MakeVariants,
    variant_worker,
};
use crate::{
    backend::MediaBackend,
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{
        Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page, SearchOptions,
        SearchPage, Upload,
    },
    owner::{Owner, Scope},
    ownership::{Ownership, OwnershipQuestion, OwnershipStatus},
    util::byte_stream::verify_hash,
};

/// Backend that stores media in a local folder: content-addressed files and a SQLite database.
///
/// The [module](crate::store) describes the folder, the steps of an upload, and renditions; the
/// [guide](crate::guide::operations) describes backup and maintenance.
///
/// - Once [`upload`](MediaBackend::upload) has returned, bytes and row survive `kill -9` and power failure;
///   an interrupted upload leaves nothing behind (promises R1, R2).
/// - Equal bytes are stored once. Each owner has a record and a random id of their own for them, and
///   learns nothing of other owners (promise P15).
/// - Complete downloads are hashed on the way; damaged bytes end in [`ErrorKind::Integrity`] instead of being
///   delivered (promise R5).
/// - Images have three variants and any [`Transform`](crate::media::Transform): upright, in sRGB, without
///   metadata, made once and cached up to [a limit](super::StoreBuilder::max_rendition_bytes).
///
/// Clones are cheap and share everything. The folder belongs to one process at a time, and is released
/// when the last clone is dropped.
///
/// # Example
///
/// ```
/// use tower_media::{MediaState, Owner, Rendition, Store, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let folder = folder.path();
/// let media = MediaState::new(Store::open(folder).await?);
/// let ana = Owner::new("ana")?;
/// let stored = media.upload(&ana, Upload::new("hello").scope("notes")).await?;
/// drop(media);
///
/// let media = MediaState::new(Store::open(folder).await?);
/// let bytes = media.download(&stored.id, Rendition::Original).await?.into_bytes(100).await?;
/// assert_eq!(&bytes[..], b"hello");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

impl Store {
    pub(super) fn start(inner: Inner) -> Self {
        let inner = Arc::new(inner);
        if inner.settings.variants == MakeVariants::Ahead {
            inner.tasks.spawn(variant_worker::run(Arc::downgrade(&inner)));
        }
        Self { inner }
    }

    /// Deletes blobs that have been unreferenced for the [grace period](super::StoreBuilder::grace), and
    /// renditions of deleted media.
    ///
    /// The cost grows with the amount of garbage, not with the size of the store.
    ///
    /// # Errors
    ///
    /// Those of the database and of the blobs. The next collection deletes what this one left.
    pub async fn collect_garbage(&self) -> Result<GcReport> {
        self.inner.collect_garbage().await
    }

    /// Spawns a task that [collects garbage](Self::collect_garbage) once per `interval` until the store is
    /// closed. Failures are logged.
    pub fn spawn_gc(&self, interval: Duration) {
        let (inner, closing) = (Arc::downgrade(&self.inner), self.inner.closing.clone());
        self.inner.tasks.spawn(closing.run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(interval).await;
                let Some(inner) = inner.upgrade() else { return };
                if let Err(error) = inner.collect_garbage().await {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "garbage collection failed; the next one continues"
                    );
                }
            }
        }));
    }

    /// Deletes all media of an owner and returns their number. [Garbage collection](Self::collect_garbage)
    /// deletes the bytes that no other owner has, after the grace period.
    ///
    /// # Errors
    ///
    /// Those of the database and of the blobs. Each batch of rows is deleted completely or not at all; call
    /// it again after an error.
    pub async fn erase_owner(&self, owner: &Owner) -> Result<u64> {
        self.inner.erase_owner(owner).await
    }

    /// Verifies the database, reads and hashes every referenced blob, and looks for unreferenced files, which
    /// are left to garbage collection. Reads the whole store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`] if the database is inconsistent, and those of the database and of the blobs.
    /// Damaged blobs are not an error but part of the result.
    pub async fn verify(&self) -> Result<Verification> {
        self.inner.verify().await
    }

    /// Refuses new uploads, finishes complete ones, stops background tasks and closes the database (promise
    /// R8). The folder itself is released when the last clone is dropped.
    ///
    /// # Errors
    ///
    /// If the database cannot be closed cleanly. Opening it again recovers it.
    pub async fn close(&self) -> Result<()> {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.db.close().await
    }

    async fn row(&self, id: &MediaId) -> Result<MediaRow> {
        self.inner.db.get(id).await?.ok_or_else(Error::not_found)
    }

    async fn original(&self, row: MediaRow, options: &DownloadOptions) -> Result<Download> {
        let key = blob_key(row.blob());
        let describe = |download: Download| {
            let download = download.with_hash(row.hash).with_last_modified(row.created_at);
            match &row.file_name {
                Some(name) => download.with_file_name(name),
                None => download,
            }
        };
        let mime_type = row.mime_type.as_str();
        let redirect = describe(Download::from_bytes(mime_type, Bytes::new()));
        if let Some(redirect) = self.inner.redirect(&key, redirect, options).await? {
            return Ok(redirect);
        }
        let part = options.part_of(row.size)?;
        let range = part.map(|part| part.range());
        let blob = self.inner.blobs.open(&key, range).await?;
        let blob = blob.ok_or_else(|| missing_blob(&row))?;
        if blob.size != row.size {
            return Err(damaged());
        }
        Ok(describe(match part {
            Some(part) => Download::from_stream(mime_type, blob.chunks).with_part(part),
            None => Download::from_stream(mime_type, verify_hash(row.hash, blob.chunks, damaged))
                .with_length(row.size)
                .accepting_ranges(),
        }))
    }
}

impl Ownership for Store {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.inner.db.owned(question).await
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        self.inner.db.explain(question).await
    }
}

impl MediaBackend for Store {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        Ok(self.inner.record(self.inner.upload(owner, upload).await?))
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        Ok(self.inner.record(self.row(id).await?))
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let row = self.row(id).await?;
        match options.rendition().transform() {
            None => self.original(row, options).await,
            Some(transform) => self.inner.rendition(row, transform, options).await,
        }
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let Listing { rows, next } = self.inner.db.list(owner, options).await?;
        Ok(Page::new(rows.into_iter().map(|row| self.inner.record(row)).collect(), next))
    }

    async fn search(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        let Matches { rows, total } = self.inner.db.search(owner, options).await?;
        let items = rows.into_iter().map(|row| self.inner.record(row)).collect();
        Ok(SearchPage::new(items, total, options.offset()))
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.inner.db.stats(owner).await
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        let deleted = self.inner.db.delete(owner, id).await?.is_some();
        if deleted {
            self.inner.try_drop_renditions(id).await;
        }
        Ok(deleted)
    }

    async fn delete_from_scope(&self, owner: &Owner, id: &MediaId, scope: &Scope) -> Result<bool> {
        let (found, deleted) = self.inner.db.delete_from_scope(owner, id, scope).await?;
        if deleted {
            self.inner.try_drop_renditions(id).await;
        }
        Ok(found)
    }

    async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        let row = self.inner.db.find_by_hash(hash).await?;
        Ok(row.map(|row| self.inner.record(row)))
    }

    async fn delete_any_owner(&self, id: &MediaId) -> Result<bool> {
        match self.inner.db.get(id).await? {
            Some(row) => self.delete(&row.owner, id).await,
            None => Ok(false),
        }
    }

    /// Queries the database and the blobs for a hash that neither has.
    async fn check_health(&self) -> Result<()> {
        if self.inner.closing.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the media store is closed"));
        }
        let unknown = ContentHash::from_bytes([0; 32]);
        self.inner.db.find_by_hash(unknown).await?;
        let unknown = BlobId { hash: unknown, generation: Generation::UNNUMBERED };
        self.inner.blobs.open(&blob_key(unknown), None).await.map(drop)
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.inner.urls(id)
    }
}
