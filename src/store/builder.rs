//! Where an embedded store keeps things, and within which bounds.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use object_store::ObjectStore;

use super::{Store, blobs::Blobs, folder::Folder, inner::Inner, quota::Quota};
use crate::{error::Result, image::ImageProcessor, store::db::SqliteDatabase};

/// When the three variants of a picture are made. See [`StoreBuilder::variants`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MakeVariants {
    /// When one of them is first asked for, all from one decoding. A picture is
    /// [`Ready`](crate::media::MediaStatus::Ready) once it is uploaded.
    #[default]
    OnRequest,
    /// In the background after each upload. A picture is
    /// [`Processing`](crate::media::MediaStatus::Processing) until they are there; what a stopped process left
    /// undone is taken up when the folder is opened again.
    Ahead,
}

/// Configures [`Store`].
///
/// # Default
///
/// Bytes in the folder, uploads of at most 100 MiB and 256 at once, no quota, variants on request,
/// 1 GiB of renditions, an hour of grace for removed bytes, and 30 s for what is silent.
///
/// ```
/// use tower_media::{Owner, Store, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// let store = Store::builder().max_bytes(5).open(folder.path()).await?;
/// let media = tower_media::MediaState::new(store);
/// let ana = Owner::new("ana")?;
/// let refused = media.upload(&ana, Upload::new("too long").scope("notes")).await;
/// assert_eq!(refused.unwrap_err().kind(), tower_media::ErrorKind::TooLarge);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "the store is made by `open`"]
pub struct StoreBuilder {
    pub(super) store: Option<Arc<dyn ObjectStore>>,
    pub(super) max_bytes: u64,
    pub(super) max_uploads: usize,
    pub(super) quota: Option<u64>,
    pub(super) variants: MakeVariants,
    pub(super) max_rendition_bytes: u64,
    pub(super) grace: Duration,
    pub(super) patience: Duration,
    #[cfg(feature = "images")]
    image_limits: crate::image::ImageLimits,
    pub(super) public_url: String,
}

impl Default for StoreBuilder {
    fn default() -> Self {
        Self {
            store: None,
            max_bytes: 100 << 20,
            max_uploads: 256,
            quota: None,
            variants: MakeVariants::default(),
            max_rendition_bytes: 1 << 30,
            grace: Duration::from_secs(60 * 60),
            patience: Duration::from_secs(30),
            #[cfg(feature = "images")]
            image_limits: Default::default(),
            public_url: String::new(),
        }
    }
}

impl StoreBuilder {
    /// Keeps the bytes in this object store instead of the folder: S3, Google Cloud Storage, Azure, or
    /// whatever else implements [`object_store::ObjectStore`]. Rows, and uploads that are not complete yet,
    /// stay in the folder.
    ///
    /// The store must be this crate's alone, or a prefix of it
    /// ([`PrefixStore`](object_store::prefix::PrefixStore)): what no row knows is swept.
    pub fn object_store(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets how many bytes an upload may have: at first 100 MiB.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many uploads may be under way at once: at first 256. Beyond it the answer is
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) at once (promise R7). Each takes up to
    /// 1 MiB of memory.
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.max_uploads = uploads;
        self
    }

    /// Sets how many bytes one owner may have, originals alone: at first any number. Uploads under way
    /// count, so that several at once do not exceed it; what exceeds it is
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge).
    pub fn quota(mut self, bytes: u64) -> Self {
        self.quota = Some(bytes);
        self
    }

    /// Sets when variants are made.
    pub fn variants(mut self, when: MakeVariants) -> Self {
        self.variants = when;
        self
    }

    /// Sets how many bytes of renditions are kept: at first 1 GiB. Beyond it those go that were not asked
    /// for the longest time, and are made anew when they are.
    pub fn max_rendition_bytes(mut self, bytes: u64) -> Self {
        self.max_rendition_bytes = bytes;
        self
    }

    /// Sets how long bytes stay that nobody refers to any more: at first an hour. Downloads under way, and
    /// backups that copy rows before bytes, must be over by then.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long a client or an object store may be silent: at first 30 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.patience = timeout;
        self
    }

    /// Sets the limits within which images are decoded.
    #[cfg(feature = "images")]
    pub fn image_limits(mut self, limits: crate::image::ImageLimits) -> Self {
        self.image_limits = limits;
        self
    }

    /// Sets what stands before `/media/{id}/file` in the URLs of records: at first nothing. A slash at its
    /// end is left out.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = url.into();
        self.public_url.truncate(self.public_url.trim_end_matches('/').len());
        self
    }

    /// Opens the folder, which is made if need be.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the folder cannot be used or is in
    /// use by another process, [`ErrorKind::Integrity`](crate::ErrorKind::Integrity) if its database is
    /// damaged, [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if a newer version of this crate
    /// wrote it, and [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if another program did.
    pub async fn open(self, folder: impl AsRef<Path>) -> Result<Store> {
        let root = folder.as_ref().to_owned();
        let folder = crate::util::blocking(move || Folder::open(&root)).await??;
        let db = Arc::new(SqliteDatabase::open(&folder.db()).await?);
        let blobs = match &self.store {
            Some(store) => Blobs::in_store(store.clone(), self.patience),
            None => Blobs::in_folder(&folder, self.patience)?,
        };
        #[cfg(feature = "images")]
        let images = ImageProcessor::new(self.image_limits.clone());
        #[cfg(not(feature = "images"))]
        let images = ImageProcessor;
        let quota = Quota::new(self.quota);
        Ok(Store::start(Inner::new(self, folder, db, blobs, images, quota)))
    }
}

impl fmt::Debug for StoreBuilder {
    // What a store shows of itself may hold its keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreBuilder")
            .field("max_bytes", &self.max_bytes)
            .field("quota", &self.quota)
            .field("variants", &self.variants)
            .finish_non_exhaustive()
    }
}
