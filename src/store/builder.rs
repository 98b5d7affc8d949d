//! Configures and opens a store.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use object_store::ObjectStore;

use super::{
    backend::Store,
    blobs::Blobs,
    db::{Database, SqliteDatabase},
    folder::{Folder, Sharing},
    inner::Inner,
    settings::{MakeVariants, Settings},
};
use crate::{error::Result, image::ImageProcessor};

/// Configures a [`Store`].
///
/// # Default
///
/// Bytes in the folder, uploads of at most 100 MiB and 256 at once, no quota, variants on request,
/// 1 GiB of renditions, a grace period of 1 hour, and an idle timeout of 30 s.
///
/// # Example
///
/// ```
/// use tower_media::{ErrorKind, MediaState, Owner, Store, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// let store = Store::builder().max_bytes(5).open(folder.path()).await?;
/// let media = MediaState::new(store);
/// let ana = Owner::new("ana")?;
/// let refused = media.upload(&ana, Upload::new("too long").scope("notes")).await;
/// assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `open` is called"]
pub struct StoreBuilder {
    settings: Settings,
    object_store: Option<Arc<dyn ObjectStore>>,
    #[cfg(feature = "postgres")]
    postgres: Option<super::db::Postgres>,
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    bucket: Option<crate::store::blobs::BucketConfig>,
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    presigner: Option<crate::store::blobs::Presigner>,
    #[cfg(feature = "images")]
    image_limits: crate::image::ImageLimits,
}

impl StoreBuilder {
    /// Keeps blobs and renditions in this object store instead of the folder: S3, Google Cloud Storage,
    /// Azure, or another implementation of [`object_store::ObjectStore`]. The database and incomplete
    /// uploads stay in the folder.
    ///
    /// The object store, or its [prefix](object_store::prefix::PrefixStore), must belong to this crate
    /// alone: garbage collection deletes objects that no row refers to.
    pub fn object_store(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.object_store = Some(store);
        self
    }

    /// Keeps the records in this PostgreSQL database instead of SQLite, so that any number of processes on any
    /// number of machines share the media. See [`Postgres`](super::Postgres).
    ///
    /// Without an object store, blobs are in the folder, which must be the same shared mount on every machine.
    /// With one, the folder holds only incomplete uploads, and is best a local one for each machine.
    #[cfg(feature = "postgres")]
    pub fn postgres(mut self, database: impl Into<super::Postgres>) -> Self {
        self.postgres = Some(database.into());
        self
    }

    /// Keeps blobs and renditions in a bucket instead of the folder: `s3://bucket/prefix`,
    /// `gs://bucket/prefix` or `az://container/prefix`, with the features `s3`, `gcs` and `azure`.
    ///
    /// Keys, endpoint and region are those of the environment: `AWS_…`, `GOOGLE_…` and `AZURE_…`, with the names of
    /// `object_store`'s [options](object_store::aws::AmazonS3ConfigKey); the guide on
    /// [buckets](mod@crate::guide::buckets) names the usual ones. A service with the protocol of S3 takes `AWS_ENDPOINT_URL`; `AWS_ALLOW_HTTP=true` allows it without
    /// TLS. As with [`object_store`](Self::object_store), bucket or prefix must belong to this crate alone.
    ///
    /// A connection is made within 5 s. A request fails if nothing arrives within the
    /// [idle timeout](Self::idle_timeout), and is repeated up to 3 times within it after 5xx, 429 and broken
    /// connections; the target `object_store` logs repetitions at `INFO`. An upload of more than 8 MiB is
    /// sent in parts, and takes the memory of one part.
    ///
    /// [`open`](Self::open) writes, reads and deletes an object under `probe/`, and fails with
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if that fails (promise R9).
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub fn bucket(self, url: impl Into<String>) -> Self {
        self.bucket_with(url, std::iter::empty::<(String, String)>())
    }

    /// As [`bucket`](Self::bucket), with options that take precedence over the environment. Their names are those of
    /// `object_store`: `aws_endpoint`, `aws_access_key_id`, `google_service_account`, `azure_storage_account_key`.
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub fn bucket_with<K, V>(
        mut self,
        url: impl Into<String>,
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let options = options.into_iter().map(|(name, value)| (name.into(), value.into()));
        let (url, options) = (url.into(), options.collect());
        self.bucket = Some(crate::store::blobs::BucketConfig { url, options });
        self
    }

    /// Signs URLs of the objects of [`object_store`](Self::object_store), so that clients can be redirected
    /// to them. [`bucket`](Self::bucket) does so without this for S3 and Google Cloud Storage.
    ///
    /// The signer must sign query parameters
    /// ([`signed_url_opts`](object_store::signer::Signer::signed_url_opts)), which the one of Azure does not.
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub fn presigner(mut self, signer: Arc<dyn object_store::signer::Signer>) -> Self {
        self.presigner = Some(crate::store::blobs::Presigner::new(signer));
        self
    }

    /// Sets the maximum size of an upload, in bytes. Default: 100 MiB.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// Sets the maximum number of concurrent uploads. Default: 256. Each takes up to 1 MiB of memory.
    ///
    /// More are refused at once with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) (promise R7).
    pub fn max_uploads(mut self, uploads: usize) -> Self {
        self.settings.max_uploads = uploads;
        self
    }

    /// Sets the maximum size of one owner's originals, in bytes. Default: unlimited.
    ///
    /// An upload is checked against the owner's bytes when it begins, while it is read, and once more when it
    /// is committed, so that concurrent uploads together cannot exceed the quota either (promise M3). An
    /// upload over the quota is [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge).
    pub fn quota(mut self, bytes: u64) -> Self {
        self.settings.quota = Some(bytes);
        self
    }

    /// Sets when variants are made. Default: [`MakeVariants::OnRequest`].
    pub fn variants(mut self, when: MakeVariants) -> Self {
        self.settings.variants = when;
        self
    }

    /// Sets the maximum size of all stored renditions, in bytes. Default: 1 GiB.
    ///
    /// Beyond it the least recently used are deleted, and made again on request.
    pub fn max_rendition_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_rendition_bytes = bytes;
        self
    }

    /// Sets the time from the last reference to a blob until it may be deleted. Default: 1 hour.
    ///
    /// Running downloads, and backups that copy the database before the blobs, must finish within it. It is
    /// also the lease of an upload: one that takes longer from the end of its body to its commit starts that
    /// part again, and after 8 attempts is [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets the idle timeout of upload bodies and of the object store, and the time in which the object store
    /// must have taken a part of at most 8 MiB. Default: 30 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// Sets the limits of image decoding.
    #[cfg(feature = "images")]
    pub fn image_limits(mut self, limits: crate::image::ImageLimits) -> Self {
        self.image_limits = limits;
        self
    }

    /// Sets the prefix of `/media/{id}/file` in the URLs of records, without its trailing slashes. Default:
    /// empty.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        let mut url = url.into();
        url.truncate(url.trim_end_matches('/').len());
        self.settings.public_url = url;
        self
    }

    /// Opens the folder and the database, creating them if they are missing.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the folder cannot be used, another
    ///   process uses it for SQLite, or PostgreSQL cannot be reached.
    /// - [`ErrorKind::Integrity`](crate::ErrorKind::Integrity) if its database is damaged.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if a newer version of this crate wrote
    ///   its database.
    /// - [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if another program wrote its database, or
    ///   the URL or the configuration of the bucket is not valid.
    pub async fn open(self, folder: impl AsRef<Path>) -> Result<Store> {
        let root = folder.as_ref().to_owned();
        let sharing = self.sharing();
        let folder = crate::util::blocking(move || Folder::open(&root, sharing)).await??;
        let db = self.database(&folder).await?;
        let blobs = self.blobs(&folder).await?;
        #[cfg(feature = "images")]
        let images = ImageProcessor::new(self.image_limits);
        #[cfg(not(feature = "images"))]
        let images = ImageProcessor;
        Ok(Store::start(Inner::new(self.settings, folder, db, blobs, images)))
    }

    fn sharing(&self) -> Sharing {
        #[cfg(feature = "postgres")]
        if self.postgres.is_some() {
            return if self.has_remote_blobs() { Sharing::Scratch } else { Sharing::Blobs };
        }
        Sharing::Exclusive
    }

    #[cfg(feature = "postgres")]
    fn has_remote_blobs(&self) -> bool {
        #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
        if self.bucket.is_some() {
            return true;
        }
        self.object_store.is_some()
    }

    async fn database(&self, folder: &Folder) -> Result<Arc<dyn Database>> {
        #[cfg(feature = "postgres")]
        if let Some(config) = &self.postgres {
            return Ok(Arc::new(super::db::PostgresDatabase::open(config).await?));
        }
        Ok(Arc::new(SqliteDatabase::open(folder.database()).await?))
    }

    async fn blobs(&self, folder: &Folder) -> Result<Blobs> {
        let idle_timeout = self.settings.idle_timeout;
        #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
        if let Some(config) = &self.bucket {
            return Blobs::in_bucket(config, idle_timeout).await;
        }
        let Some(store) = &self.object_store else {
            return Blobs::in_folder(folder.root(), idle_timeout);
        };
        let blobs = Blobs::in_store(store.clone(), idle_timeout);
        #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
        if let Some(presigner) = &self.presigner {
            return Ok(blobs.with_presigner(presigner.clone()));
        }
        Ok(blobs)
    }
}

impl fmt::Debug for StoreBuilder {
    // The `Debug` output of an object store may contain its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a folder with the defaults of [`StoreBuilder`], creating it if it is missing.
    ///
    /// # Errors
    ///
    /// Those of [`StoreBuilder::open`].
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(folder).await
    }

    /// Returns a builder with the default settings.
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }
}
