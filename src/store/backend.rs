//! The handle of a store, and its `MediaBackend` implementation.

use std::{path::Path, sync::Arc, time::Duration};

use super::{GcReport, MakeVariants, StoreBuilder, Verification, variant_worker};
use super::{
    blobs::{content_key, damaged},
    inner::Inner,
    renditions::lost,
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
    store::db::{Listing, Matches, Row},
    util::byte_stream::verify_hash,
};

/// A backend that keeps media in a folder of this machine, with nothing to install and nothing lost.
///
/// Bytes lie in files named by their SHA-256, rows in a SQLite database beside them. The
/// [module](crate::store) tells what lies where, what happens to an upload, and how to back up.
///
/// - Once [`upload`](MediaBackend::upload) has returned, bytes and row are on the disk and survive a
///   `kill -9` or a loss of power; an upload that was cut leaves nothing (promises R1, R2).
/// - Equal bytes are kept once. Each owner has a record and a random id of their own for them, and
///   nothing tells of the other (promise P15).
/// - What is read whole is hashed on the way; bytes that are damaged end in
///   [`ErrorKind::Integrity`] instead of being delivered (promise R5).
/// - ImageProcessor get three variants and any [`Transform`](crate::media::Transform), upright, in sRGB and without
///   metadata, made once and kept as long as there is room.
///
/// Cloning is cheap; clones share everything. The folder belongs to one process at a time, and is free
/// when the last clone is gone.
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
pub struct Store(Arc<Inner>);

impl Store {
    /// Opens the folder with the defaults of [`StoreBuilder`]. It is made if need be.
    ///
    /// # Errors
    ///
    /// Those of [`StoreBuilder::open`].
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(folder).await
    }

    /// Begins to configure a store.
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }

    pub(super) fn start(store: Inner) -> Self {
        let store = Arc::new(store);
        if store.settings.variants == MakeVariants::Ahead {
            store.tasks.spawn(variant_worker::work(Arc::downgrade(&store)));
        }
        Self(store)
    }

    /// Deletes bytes that nobody has referred to for the [grace period](StoreBuilder::grace). What it
    /// costs depends on how many those are, not on how many there are.
    ///
    /// # Errors
    ///
    /// What rows or bytes fail with. What was not swept then is swept the next time.
    pub async fn sweep(&self) -> Result<GcReport> {
        self.0.sweep().await
    }

    /// Sweeps again and again in the background, as long as the store is open. Failures are logged.
    pub fn spawn_sweep(&self, every: Duration) {
        let (store, closing) = (Arc::downgrade(&self.0), self.0.closing.clone());
        self.0.tasks.spawn(closing.run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(store) = store.upgrade() else { return };
                if let Err(error) = store.sweep().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "the sweep failed");
                }
            }
        }));
    }

    /// Removes everything that an owner has, and returns how many media those were. Bytes that nobody
    /// else has go with a [`sweep`](Self::sweep) after the grace period.
    ///
    /// # Errors
    ///
    /// What rows or bytes fail with. The rows are gone at once or not at all.
    pub async fn erase_owner(&self, owner: &Owner) -> Result<u64> {
        self.0.erase_owner(owner).await
    }

    /// Reads and hashes every content that media refer to, and looks for files that nothing refers to:
    /// those are left to the sweep. This reads everything there is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Integrity`] if the rows do not fit together, and what rows or bytes fail with.
    /// Damaged bytes are no error but told in the answer.
    pub async fn verify(&self) -> Result<Verification> {
        self.0.verify().await
    }

    /// Refuses new uploads, finishes those that are complete, stops what goes on in the background, and
    /// frees the folder's database (promise R8). The folder itself is free when the last clone is gone.
    ///
    /// # Errors
    ///
    /// If the database cannot be closed in order. It is repaired when it is opened again.
    pub async fn close(&self) -> Result<()> {
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.db.close().await
    }

    pub(super) async fn row(&self, id: &MediaId) -> Result<Row> {
        let none = || Error::new(ErrorKind::NotFound, "there is no such media");
        self.0.db.get(id).await?.ok_or_else(none)
    }

    pub(super) async fn original(&self, row: Row, options: &DownloadOptions) -> Result<Download> {
        let part = options.part_of(row.size)?;
        let range = part.map(|part| part.range());
        let found = self.0.blobs.open(&content_key(row.hash), range).await?;
        let found = found.ok_or_else(|| lost(&row))?;
        if found.size != row.size {
            return Err(damaged());
        }
        let download = match part {
            Some(part) => Download::from_stream(row.mime_type, found.pieces).with_part(part),
            None => {
                Download::from_stream(row.mime_type, verify_hash(row.hash, found.pieces, damaged))
                    .with_length(row.size)
                    .accepting_ranges()
            }
        };
        let download = download.with_hash(row.hash).with_last_modified(row.created_at);
        Ok(match row.file_name {
            Some(name) => download.with_file_name(name),
            None => download,
        })
    }
}

impl Ownership for Store {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.db.owned(question).await
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        self.0.db.explain(question).await
    }
}

impl MediaBackend for Store {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        Ok(self.0.record(self.0.upload(owner, upload).await?))
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        Ok(self.0.record(self.row(id).await?))
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let row = self.row(id).await?;
        match options.rendition().transform() {
            None => self.original(row, options).await,
            Some(transform) => self.0.rendition(row, transform, options).await,
        }
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let Listing { rows, next } = self.0.db.list(owner, options).await?;
        Ok(Page::new(rows.into_iter().map(|row| self.0.record(row)).collect(), next))
    }

    async fn search(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        let Matches { rows, total } = self.0.db.search(owner, options).await?;
        let items = rows.into_iter().map(|row| self.0.record(row)).collect();
        Ok(SearchPage::new(items, total, options.offset()))
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.0.db.stats(owner).await
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        let removed = self.0.db.delete(owner, id).await?.is_some();
        if removed {
            self.0.drop_removed(id).await;
        }
        Ok(removed)
    }

    async fn delete_from_scope(&self, owner: &Owner, id: &MediaId, scope: &Scope) -> Result<bool> {
        let (found, deleted) = self.0.db.delete_from_scope(owner, id, scope).await?;
        if deleted {
            self.0.drop_removed(id).await;
        }
        Ok(found)
    }

    async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        let row = self.0.db.find_by_hash(hash).await?;
        Ok(row.map(|row| self.0.record(row)))
    }

    async fn delete_any_owner(&self, id: &MediaId) -> Result<bool> {
        match self.0.db.get(id).await? {
            Some(row) => self.delete(&row.owner, id).await,
            None => Ok(false),
        }
    }

    /// Asks the database and the store of the bytes for what they do not have.
    async fn check_health(&self) -> Result<()> {
        if self.0.closing.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "the media store is closed"));
        }
        let nothing = ContentHash::from_bytes([0; 32]);
        self.0.db.find_by_hash(nothing).await?;
        self.0.blobs.open(&content_key(nothing), None).await.map(drop)
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.0.urls(id)
    }
}
