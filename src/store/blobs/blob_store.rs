//! Blobs by key: in a local folder, or in an object store.

use std::{
    fmt, io,
    ops::Range,
    path::{self, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, local::LocalFileSystem,
    path::Path,
};

use super::{
    persist::{self, BlobRead, BlobSource},
    presigner::Presigner,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    store::db::{BlobId, Generation},
    util::byte_stream::with_idle_timeout,
};

const BLOBS: &str = "blobs";
const RENDITIONS: &str = "renditions";

/// The key of a blob: `blobs/ab/cdef…-<generation>`.
pub(crate) fn blob_key(blob: BlobId) -> Path {
    let hash = blob.hash.to_string();
    let name = match blob.generation {
        Generation::UNNUMBERED => hash[2..].to_owned(),
        generation => format!("{}-{:016x}", &hash[2..], generation.number()),
    };
    Path::from_iter([BLOBS, &hash[..2], &name])
}

/// The blob whose [`blob_key`] this is.
pub(crate) fn parse_blob_key(key: &Path) -> Option<BlobId> {
    let parts: Vec<_> = key.parts().collect();
    let [_, first, name] = &parts[..] else { return None };
    let (rest, generation) = match name.as_ref().split_once('-') {
        None => (name.as_ref(), Generation::UNNUMBERED),
        Some((rest, digits)) => {
            (rest, Generation::from_number(i64::from_str_radix(digits, 16).ok()?))
        }
    };
    let hash = format!("{}{rest}", first.as_ref()).parse().ok()?;
    let blob = BlobId { hash, generation };
    // Another spelling of the same number is not a key of ours.
    (blob_key(blob) == *key).then_some(blob)
}

/// The prefix of all renditions of one media item.
pub(crate) fn renditions_prefix(id: &MediaId) -> Path {
    Path::from_iter([RENDITIONS, id.as_ref()])
}

/// The key of one rendition.
pub(crate) fn rendition_key(id: &MediaId, key: &str) -> Path {
    renditions_prefix(id).join(key)
}

/// The media id and the rendition's own key in a key of [`rendition_key`].
pub(crate) fn parse_rendition_key(key: &Path) -> Option<(MediaId, String)> {
    let parts: Vec<_> = key.parts().collect();
    let [_, id, key] = &parts[..] else { return None };
    Some((MediaId::from_trusted(id.as_ref()).ok()?, key.as_ref().to_owned()))
}

/// The prefix of all blobs.
pub(crate) fn all_blobs_prefix() -> Path {
    Path::from(BLOBS)
}

/// The prefix of all renditions.
pub(crate) fn all_renditions_prefix() -> Path {
    Path::from(RENDITIONS)
}

/// Blobs and renditions by key.
#[derive(Clone)]
pub(crate) struct Blobs {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same as `store`, if that is a local folder.
    local: Option<LocalFileSystem>,
    presigner: Option<Presigner>,
    pub(super) idle_timeout: Duration,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The `Debug` output of a store may contain its credentials.
        f.debug_struct("Blobs").field("local", &self.local.is_some()).finish_non_exhaustive()
    }
}

impl Blobs {
    pub(crate) fn in_folder(root: &path::Path, idle_timeout: Duration) -> Result<Self> {
        let local = LocalFileSystem::new_with_prefix(root).map_err(failed)?;
        let store = Arc::new(local.clone());
        Ok(Self { store, local: Some(local), presigner: None, idle_timeout })
    }

    pub(crate) fn in_store(store: Arc<dyn ObjectStore>, idle_timeout: Duration) -> Self {
        Self { store, local: None, presigner: None, idle_timeout }
    }

    /// Opens a bucket by its URL, and checks that objects can be written, read and deleted (promise R9).
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub(crate) async fn in_bucket(
        config: &super::bucket::BucketConfig,
        idle_timeout: Duration,
    ) -> Result<Self> {
        let super::bucket::Bucket { store, presigner } =
            super::bucket::Bucket::open(config, idle_timeout)?;
        let blobs = Self { presigner, ..Self::in_store(store, idle_timeout) };
        blobs.probe().await.map_err(|error| {
            let what = "the bucket does not store an object, read it and delete it: check its name, endpoint, \
                        region, keys and permissions";
            Error::new(ErrorKind::Unavailable, what).with_source(error)
        })?;
        Ok(blobs)
    }

    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    async fn probe(&self) -> Result<()> {
        // Several nodes may start at once.
        let key = Path::from_iter(["probe", &uuid::Uuid::new_v4().to_string()]);
        self.put(&key, &BlobSource::Memory("probe".into())).await?;
        let read = self.open(&key, None).await?;
        let read =
            read.ok_or_else(|| Error::new(ErrorKind::NotFound, "a new object is missing"))?;
        read.chunks.try_for_each(|_| std::future::ready(Ok(()))).await?;
        self.delete(&key).await
    }

    /// Signs URLs of these blobs with this from now on.
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub(crate) fn with_presigner(self, presigner: Presigner) -> Self {
        Self { presigner: Some(presigner), ..self }
    }

    /// Returns a URL that delivers the blob under the key to everyone who has it, for `expires_in`; `None`
    /// if this store does not sign URLs.
    pub(crate) async fn presigned_url(
        &self,
        key: &Path,
        content_type: &str,
        disposition: &str,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        let Some(presigner) = &self.presigner else { return Ok(None) };
        let url = presigner.url(key, content_type, disposition, expires_in);
        self.with_timeout(url, failed).await.map(Some)
    }

    /// Stores bytes under the key, replacing what was there. They are durable once this returns.
    pub(crate) async fn put(&self, key: &Path, source: &BlobSource) -> Result<()> {
        match &self.local {
            Some(local) => {
                let destination = local.path_to_filesystem(key).map_err(failed)?;
                let incoming = local.path_to_filesystem(&Path::from("incoming")).map_err(failed)?;
                persist::persist(source, incoming, destination).await
            }
            None => match source {
                BlobSource::Memory(bytes) => self
                    .with_timeout(self.store.put(key, bytes.clone().into()), failed)
                    .await
                    .map(drop),
                BlobSource::File(path) => self.put_file(key, path).await,
            },
        }
    }

    /// The path of the file under the key, if blobs are in a local folder.
    pub(crate) fn local_path(&self, key: &Path) -> Result<Option<PathBuf>> {
        let Some(local) = &self.local else { return Ok(None) };
        local.path_to_filesystem(key).map(Some).map_err(failed)
    }

    /// Opens the blob under the key, or a range of it; `None` if it is missing.
    pub(crate) async fn open(
        &self,
        key: &Path,
        range: Option<Range<u64>>,
    ) -> Result<Option<BlobRead>> {
        if let Some(path) = self.local_path(key)? {
            return persist::open(path, range).await;
        }
        let options = GetOptions::new().with_range(range.map(GetRange::Bounded));
        let got = match self.with_timeout(self.store.get_opts(key, options), failed).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            got => got?,
        };
        let size = got.meta.size;
        let chunks = got.into_stream().map_err(failed).boxed();
        Ok(Some(BlobRead { size, chunks: with_idle_timeout(self.idle_timeout, chunks, timed_out) }))
    }

    /// Returns the size of the blob under the key; `None` if it is missing.
    pub(crate) async fn size(&self, key: &Path) -> Result<Option<u64>> {
        match self.with_timeout(self.store.head(key), failed).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => Ok(Some(found?.size)),
        }
    }

    /// Deletes the blob under the key, if there is one.
    pub(crate) async fn delete(&self, key: &Path) -> Result<()> {
        match self.with_timeout(self.store.delete(key), failed).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    /// Deletes everything under a prefix.
    pub(crate) async fn delete_all(&self, prefix: &Path) -> Result<()> {
        let keys: Vec<ObjectMeta> = self.list(prefix).try_collect().await?;
        for found in keys {
            self.delete(&found.location).await?;
        }
        if let Some(local) = &self.local {
            // The folder itself, unless a concurrent write has put something into it.
            let path = local.path_to_filesystem(prefix).map_err(failed)?;
            let _ = tokio::fs::remove_dir(path).await;
        }
        Ok(())
    }

    /// Lists everything under a prefix.
    pub(crate) fn list(&self, prefix: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.store.list(Some(prefix)).map_err(failed).boxed();
        with_idle_timeout(self.idle_timeout, listed, timed_out)
    }

    pub(super) async fn with_timeout<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        failed: fn(E) -> Error,
    ) -> Result<T> {
        match tokio::time::timeout(self.idle_timeout, call).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(timed_out(self.idle_timeout)),
        }
    }
}

fn timed_out(idle_timeout: Duration) -> Error {
    Error::timeout("the object store", idle_timeout)
}

pub(super) fn failed(error: object_store::Error) -> Error {
    let kind = match &error {
        object_store::Error::NotFound { source, .. } if is_missing_bucket(&**source) => {
            ErrorKind::Unavailable
        }
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            ErrorKind::Unsupported
        }
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "the object store failed").with_source(error)
}

/// Returns whether a 404 is about the bucket, by the error code in the response of S3 and Google Cloud Storage
/// or of Azure. An object in it may well exist.
fn is_missing_bucket(source: &(dyn std::error::Error + 'static)) -> bool {
    let mut sources = std::iter::successors(Some(source), |error| error.source());
    sources.any(|error| {
        let text = error.to_string();
        text.contains("NoSuchBucket") || text.contains("ContainerNotFound")
    })
}

/// Returns whether the cause of an error is a full disk, of the files or of the database.
pub(crate) fn is_disk_full(error: &Error) -> bool {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |error| error.source()).any(|error| {
        let io = error.downcast_ref::<io::Error>();
        let sql = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        io.is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
            || sql.is_some_and(|error| error.code().as_deref() == Some("13"))
    })
}

pub(crate) fn damaged() -> Error {
    Error::new(
        ErrorKind::Integrity,
        "the stored bytes do not match their hash; upload the same file again to restore them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ContentHash;

    #[test]
    fn m01_each_generation_has_a_key_of_its_own() {
        let hash = ContentHash::of(b"");
        let keys = [
            (Generation::UNNUMBERED, ""),
            (Generation::from_number(1), "-0000000000000001"),
            (Generation::from_number(i64::MAX), "-7fffffffffffffff"),
        ];
        for (generation, suffix) in keys {
            let blob = BlobId { hash, generation };
            let rest = "b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
            assert_eq!(blob_key(blob).as_ref(), format!("blobs/e3/{rest}{suffix}"));
            assert_eq!(parse_blob_key(&blob_key(blob)), Some(blob));
        }
        let key = blob_key(BlobId { hash, generation: Generation::from_number(10) });
        for other in [
            key.as_ref().replace("000a", "000A"),
            key.as_ref().replace("-0000", "-"),
            key.as_ref().replace("000000000000000a", "0000000000000000"),
            key.as_ref().replace("blobs/e3", "blobs"),
            format!("{key}-1"),
        ] {
            assert_eq!(parse_blob_key(&Path::from(other.as_str())), None, "{other}");
        }
    }
}
