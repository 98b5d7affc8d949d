//! Storage of unfinished uploads: parts by key in a folder or an object store.
//!
//! Every part is an object of its own, created under the offset at which it begins and never replaced. The chain
//! of parts from offset 0 is the upload, so that any number of nodes can continue it without a lock: of two
//! requests at the same offset, one creates the part and the other is refused.

use std::{
    collections::BTreeMap,
    fmt, path,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, local::LocalFileSystem,
    memory::InMemory, path::Path,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::rejection::TusRejection;
use crate::{
    error::{Error, ErrorKind, Result},
    owner::Owner,
    util::create_private_dir,
};

/// The time between two background sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);

const ROOT: &str = "partial-uploads";

/// The object that makes an upload exist.
const CREATED: &str = "created";

/// The object with the length of an upload that was created without one.
const LENGTH: &str = "length";

/// The object with the outcome of a finished upload.
const FINISHED: &str = "finished";

/// Storage of unfinished resumable uploads (tus), in a folder or an object store that all nodes share.
///
/// # Default
///
/// An upload expires 24 hours after its last part. An owner has at most 64 unfinished uploads.
///
/// Bytes are durable in it before a client learns the offset behind them (promise U1). The uploads of an owner
/// are kept below a key derived from that owner, so that an id leads to nothing for another owner (promise U2).
/// Expired uploads are deleted by [`sweep`](Self::sweep), which the routes run in the background at most every
/// ten minutes while uploads are created.
///
/// ```
/// use tower_media::{routes::{PartialUploads, UploadPolicy, UploadRoutes}, MediaState};
///
/// # fn main() -> tower_media::Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let folder = folder.path();
/// let media = MediaState::in_memory();
/// let policy = UploadPolicy::images().scope("me").max_bytes(200 << 20);
/// let routes = UploadRoutes::new(media, "/me-images", policy).tus(PartialUploads::in_folder(folder)?);
/// let app: axum::Router = routes.into_router(); // POST /me-images, and tus at /me-images/tus
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PartialUploads {
    store: Arc<dyn ObjectStore>,
    // The folder of `store`, if it is one.
    folder: Option<PathBuf>,
    expire_after: Duration,
    max_per_owner: usize,
    // The time of the last background sweep in seconds since 1970.
    swept_at: Arc<AtomicU64>,
}

impl PartialUploads {
    /// Keeps unfinished uploads in a folder, below `partial-uploads`. A missing folder is created with mode 0700
    /// (promise P20). The folder of a store, or a mount that several nodes share, works as well.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if the folder cannot be created.
    pub fn in_folder(folder: impl AsRef<path::Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("the folder {} cannot be used for uploads", folder.display());
            Error::new(ErrorKind::Unavailable, what).with_source(error)
        };
        create_private_dir(folder).map_err(|error| failed(error.into()))?;
        let local =
            LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.into()))?;
        let store = Arc::new(local.with_fsync(true));
        Ok(Self { folder: Some(folder.to_owned()), ..Self::in_store(store) })
    }

    /// Keeps unfinished uploads in an object store, below the prefix `partial-uploads`. Parts are objects of at
    /// most 8 MiB; the store must support conditional creation (`If-None-Match`).
    pub fn in_store(store: Arc<dyn ObjectStore>) -> Self {
        let expire_after = Duration::from_secs(24 * 60 * 60);
        let swept_at = Arc::default();
        Self { store, folder: None, expire_after, max_per_owner: 64, swept_at }
    }

    /// Keeps unfinished uploads in memory, for tests.
    pub fn in_memory() -> Self {
        Self::in_store(Arc::new(InMemory::new()))
    }

    /// Sets the time after which an upload without a new part expires.
    #[must_use]
    pub fn expire_after(mut self, time: Duration) -> Self {
        self.expire_after = time;
        self
    }

    /// Sets the greatest number of unfinished uploads of an owner, beyond which the response is 429.
    #[must_use]
    pub fn max_per_owner(mut self, uploads: usize) -> Self {
        self.max_per_owner = uploads;
        self
    }

    /// Deletes expired uploads and returns their number. Its memory does not grow with the number of owners.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if the storage fails. The next sweep deletes what this one left.
    pub async fn sweep(&self) -> Result<u64> {
        let mut swept = 0;
        let owners =
            self.store.list_with_delimiter(Some(&Path::from(ROOT))).await.map_err(failed)?;
        for owner in owners.common_prefixes {
            for upload in self.list(&owner).await? {
                if upload.is_expired(self.expire_after) {
                    self.delete(&upload).await?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Starts a [sweep](Self::sweep) in the background unless one was started within ten minutes.
    pub(super) fn sweep_in_background(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let last = self.swept_at.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(last) >= SWEEP_INTERVAL.as_secs();
        let swap =
            || self.swept_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        if is_due && swap().is_ok() {
            let uploads = self.clone();
            tokio::spawn(async move {
                if let Err(error) = uploads.sweep().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "expired uploads were not deleted; the next sweep tries again"
                    );
                }
            });
        }
    }

    /// Creates an upload and returns its id, which is random.
    pub(super) async fn create(
        &self,
        owner: &Owner,
        created: &Created,
    ) -> Result<PartialUpload, TusRejection> {
        let owner = owner_prefix(owner);
        let unfinished =
            self.list(&owner).await?.iter().filter(|upload| !upload.is_finished).count();
        if unfinished >= self.max_per_owner {
            return Err(TusRejection::TooManyUnfinished(self.max_per_owner));
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        let upload = PartialUpload::new(owner.join(id.as_str()));
        self.put_new(&upload.key(CREATED), to_json(created)?).await?;
        Ok(upload)
    }

    /// Returns the total size of the parts in an owner's unfinished uploads.
    pub(super) async fn bytes(&self, owner: &Owner) -> Result<u64> {
        let uploads = self.list(&owner_prefix(owner)).await?;
        Ok(uploads.iter().filter(|upload| !upload.is_finished).map(|upload| upload.offset).sum())
    }

    /// Returns an upload of this owner, unless it is missing or has expired.
    pub(super) async fn find(
        &self,
        owner: &Owner,
        id: &str,
    ) -> Result<PartialUpload, TusRejection> {
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TusRejection::Unknown);
        }
        let found = self.list(&owner_prefix(owner).join(id)).await?.pop();
        found
            .filter(|upload| upload.exists && !upload.is_expired(self.expire_after))
            .ok_or(TusRejection::Unknown)
    }

    /// Returns the time at which an upload expires unless a part is added.
    pub(super) fn expires(&self, upload: &PartialUpload) -> SystemTime {
        upload.modified + self.expire_after
    }

    /// Returns what the client declared, with the length that it declared later.
    pub(super) async fn created(&self, upload: &PartialUpload) -> Result<Created> {
        let mut created: Created = self.read(&upload.key(CREATED)).await?;
        if upload.has_length {
            created.length = Some(self.read(&upload.key(LENGTH)).await?);
        }
        Ok(created)
    }

    pub(super) async fn finished(&self, upload: &PartialUpload) -> Result<Option<Finished>> {
        if !upload.is_finished {
            return Ok(None);
        }
        self.read(&upload.key(FINISHED)).await.map(Some)
    }

    /// Sets the length of an upload that was created without one. It cannot be changed.
    pub(super) async fn set_length(
        &self,
        upload: &PartialUpload,
        length: u64,
    ) -> Result<(), TusRejection> {
        self.put_new(&upload.key(LENGTH), to_json(&length)?).await
    }

    /// Adds the part at the end of the upload, unless another request has added one there.
    pub(super) async fn append(
        &self,
        upload: &mut PartialUpload,
        part: Bytes,
    ) -> Result<(), TusRejection> {
        let size = part.len() as u64;
        self.put_new(&upload.part_key(upload.offset), part).await?;
        upload.parts.push(upload.offset);
        upload.offset += size;
        upload.modified = SystemTime::now();
        Ok(())
    }

    /// Streams the bytes of an upload.
    pub(super) fn content(
        &self,
        upload: &PartialUpload,
    ) -> impl Stream<Item = Result<Bytes>> + Send + Unpin + use<> {
        let keys: Vec<_> = upload.parts.iter().map(|offset| upload.part_key(*offset)).collect();
        let store = self.store.clone();
        let parts = stream::iter(keys).then(move |key| {
            let store = store.clone();
            async move { store.get(&key).await.map(object_store::GetResult::into_stream) }
        });
        parts.try_flatten().map_err(failed).boxed()
    }

    /// Records the outcome and deletes the parts. A repeated call changes nothing.
    pub(super) async fn finish(&self, upload: &PartialUpload, finished: &Finished) -> Result<()> {
        match self.put_new(&upload.key(FINISHED), to_json(finished)?).await {
            Ok(()) | Err(TusRejection::Continued) => {}
            Err(rejection) => return Err(rejection.into_error()),
        }
        for offset in &upload.parts {
            self.delete_key(&upload.part_key(*offset)).await?;
        }
        Ok(())
    }

    /// Deletes an upload.
    pub(super) async fn delete(&self, upload: &PartialUpload) -> Result<()> {
        // Without this object the upload does not exist, even if the rest fails.
        self.delete_key(&upload.key(CREATED)).await?;
        let objects: Vec<_> =
            self.store.list(Some(&upload.prefix)).try_collect().await.map_err(failed)?;
        for object in objects {
            self.delete_key(&object.location).await?;
        }
        if let Some(folder) = &self.folder {
            // Also the files of a killed process, which are not listed.
            let _ = tokio::fs::remove_dir_all(folder.join(upload.prefix.as_ref())).await;
        }
        Ok(())
    }

    /// Returns the uploads below a prefix.
    async fn list(&self, prefix: &Path) -> Result<Vec<PartialUpload>> {
        let mut uploads = BTreeMap::<String, Vec<ObjectMeta>>::new();
        let mut objects = self.store.list(Some(prefix));
        while let Some(object) = objects.try_next().await.map_err(failed)? {
            if let Some((upload, _)) = object.location.as_ref().rsplit_once('/') {
                uploads.entry(upload.to_owned()).or_default().push(object);
            }
        }
        Ok(uploads.into_iter().map(|(key, objects)| PartialUpload::listed(key, &objects)).collect())
    }

    async fn read<T: DeserializeOwned>(&self, key: &Path) -> Result<T> {
        let object = self.store.get(key).await.map_err(failed)?;
        let bytes = object.bytes().await.map_err(failed)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(ErrorKind::Integrity, "the record of an unfinished upload is damaged")
                .with_source(error)
        })
    }

    /// Creates an object, unless it exists.
    async fn put_new(&self, key: &Path, bytes: Bytes) -> Result<(), TusRejection> {
        match self.store.put_opts(key, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(TusRejection::Continued),
            Err(error) => Err(failed(error).into()),
        }
    }

    async fn delete_key(&self, key: &Path) -> Result<()> {
        match self.store.delete(key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

impl fmt::Debug for PartialUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The `Debug` output of a store may contain its credentials.
        f.debug_struct("PartialUploads")
            .field("folder", &self.folder)
            .field("expire_after", &self.expire_after)
            .field("max_per_owner", &self.max_per_owner)
            .finish_non_exhaustive()
    }
}

/// The declarations of the client when it created an upload.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Created {
    /// The length in bytes, unless it is deferred.
    pub(super) length: Option<u64>,
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
}

/// The record that a finished upload has become.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Finished {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) length: u64,
}

/// An unfinished upload as its objects show it.
#[derive(Debug, Clone)]
pub(super) struct PartialUpload {
    prefix: Path,
    exists: bool,
    has_length: bool,
    is_finished: bool,
    // The offsets at which parts begin, in order and without a gap.
    parts: Vec<u64>,
    offset: u64,
    modified: SystemTime,
}

impl PartialUpload {
    fn new(prefix: Path) -> Self {
        let modified = SystemTime::now();
        Self {
            prefix,
            exists: true,
            has_length: false,
            is_finished: false,
            parts: Vec::new(),
            offset: 0,
            modified,
        }
    }

    fn listed(prefix: String, objects: &[ObjectMeta]) -> Self {
        let find =
            |name: &str| objects.iter().find(|object| object.location.filename() == Some(name));
        let mut upload = Self {
            exists: find(CREATED).is_some(),
            has_length: find(LENGTH).is_some(),
            is_finished: find(FINISHED).is_some(),
            modified: objects.iter().map(|o| o.last_modified.into()).max().unwrap_or(UNIX_EPOCH),
            ..Self::new(Path::from(prefix))
        };
        while let Some(part) = find(&part_name(upload.offset)) {
            upload.parts.push(upload.offset);
            upload.offset += part.size;
        }
        upload
    }

    /// Returns the id.
    pub(super) fn id(&self) -> &str {
        self.prefix.filename().unwrap_or_default()
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Returns the number of durable bytes.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    fn key(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    fn part_key(&self, offset: u64) -> Path {
        self.key(&part_name(offset))
    }

    fn is_expired(&self, after: Duration) -> bool {
        self.modified.elapsed().is_ok_and(|age| age >= after)
    }
}

fn part_name(offset: u64) -> String {
    format!("part-{offset:020}")
}

/// The prefix of an owner's uploads. Tenant and subject are hashed with their lengths, so that two owners never
/// share one.
fn owner_prefix(owner: &Owner) -> Path {
    let mut hash = Sha256::new();
    for text in [owner.tenant().unwrap_or_default(), owner.subject()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Path::from_iter([ROOT, &hash])
}

fn to_json(value: &impl Serialize) -> Result<Bytes> {
    let json = serde_json::to_vec(value);
    json.map(Bytes::from).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}

fn failed(error: object_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the storage of unfinished uploads failed")
        .with_source(error)
}
