//! Blobs by key: in a folder of this machine, or in an object store.

use std::{fmt, ops::Range, path::PathBuf, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, buffered::BufWriter,
    local::LocalFileSystem, path::Path,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::disk::{self, Found, PIECE};
use crate::store::{
    folder::Folder,
    spool::{Content, not_written},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    util::byte_stream::with_idle_timeout,
};

const CONTENTS: &str = "blobs";
const RENDITIONS: &str = "renditions";

/// Where the bytes of a content are.
pub(crate) fn content_key(hash: ContentHash) -> Path {
    let hash = hash.to_string();
    Path::from_iter([CONTENTS, &hash[..2], &hash[2..]])
}

/// The content that a key is for, if it is one of [`content_key`].
pub(crate) fn content_of(key: &Path) -> Option<ContentHash> {
    let parts: Vec<_> = key.parts().collect();
    let [_, first, rest] = &parts[..] else { return None };
    format!("{}{}", first.as_ref(), rest.as_ref()).parse().ok()
}

/// Where the renditions of media are.
pub(crate) fn renditions_key(id: &MediaId) -> Path {
    Path::from_iter([RENDITIONS, id.as_ref()])
}

/// The rendition that a key is for: of which media, and its own key.
pub(crate) fn rendition_of(key: &Path) -> Option<(MediaId, String)> {
    let parts: Vec<_> = key.parts().collect();
    let [_, id, key] = &parts[..] else { return None };
    Some((MediaId::from_trusted(id.as_ref()).ok()?, key.as_ref().to_owned()))
}

/// Where all contents are.
pub(crate) fn contents_key() -> Path {
    Path::from(CONTENTS)
}

/// Where all renditions are.
pub(crate) fn all_renditions_key() -> Path {
    Path::from(RENDITIONS)
}

/// Bytes by key.
#[derive(Clone)]
pub(crate) struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// The same as `store`, where that is a folder.
    local: Option<LocalFileSystem>,
    /// How long the store may be silent.
    patience: Duration,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a store shows of itself may hold its keys.
        f.debug_struct("Blobs").field("local", &self.local.is_some()).finish_non_exhaustive()
    }
}

impl Blobs {
    pub(crate) fn in_folder(folder: &Folder, patience: Duration) -> Result<Self> {
        let local = LocalFileSystem::new_with_prefix(folder.root()).map_err(failed)?;
        Ok(Self { store: Arc::new(local.clone()), local: Some(local), patience })
    }

    pub(crate) fn in_store(store: Arc<dyn ObjectStore>, patience: Duration) -> Self {
        Self { store, local: None, patience }
    }

    /// Puts bytes in their place, whatever was there before. Once this has returned they are durable.
    pub(crate) async fn place(&self, key: &Path, content: Content) -> Result<()> {
        match &self.local {
            Some(local) => {
                let place = local.path_to_filesystem(key).map_err(failed)?;
                let incoming = local.path_to_filesystem(&Path::from("incoming")).map_err(failed)?;
                disk::place(content, incoming, place).await
            }
            None => match content {
                Content::Memory(bytes) => {
                    self.soon(self.store.put(key, bytes.into()), failed).await.map(drop)
                }
                Content::File(path) => self.send(key, path.to_path_buf()).await,
            },
        }
    }

    /// Sends a file in parts.
    async fn send(&self, key: &Path, path: PathBuf) -> Result<()> {
        let mut file = tokio::fs::File::open(path).await.map_err(not_written)?;
        let mut writer = BufWriter::new(self.store.clone(), key.clone());
        let sent = async {
            let mut piece = vec![0; PIECE];
            loop {
                match file.read(&mut piece).await.map_err(not_written)? {
                    0 => break self.soon(writer.shutdown(), not_written).await,
                    read => self.soon(writer.write_all(&piece[..read]), not_written).await?,
                }
            }
        };
        let sent = sent.await;
        if sent.is_err() {
            // What was sent stays without a name if this fails as well; stores throw such parts away.
            let _ = tokio::time::timeout(self.patience, writer.abort()).await;
        }
        sent
    }

    /// The file that lies under the key, if this is a folder.
    pub(crate) fn file(&self, key: &Path) -> Result<Option<PathBuf>> {
        let Some(local) = &self.local else { return Ok(None) };
        local.path_to_filesystem(key).map(Some).map_err(failed)
    }

    /// Opens what lies under the key, or a part of it; nothing if there is nothing.
    pub(crate) async fn open(
        &self,
        key: &Path,
        range: Option<Range<u64>>,
    ) -> Result<Option<Found>> {
        if let Some(path) = self.file(key)? {
            return disk::open(path, range).await;
        }
        let options = GetOptions::new().with_range(range.map(GetRange::Bounded));
        let got = match self.soon(self.store.get_opts(key, options), failed).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            got => got?,
        };
        let size = got.meta.size;
        let pieces = got.into_stream().map_err(failed).boxed();
        Ok(Some(Found { size, pieces: with_idle_timeout(self.patience, pieces, silent) }))
    }

    /// Deletes what lies under the key, if anything does.
    pub(crate) async fn delete(&self, key: &Path) -> Result<()> {
        match self.soon(self.store.delete(key), failed).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    /// Deletes everything below the key.
    pub(crate) async fn delete_all(&self, below: &Path) -> Result<()> {
        let keys: Vec<ObjectMeta> = self.list(below).try_collect().await?;
        for found in keys {
            self.delete(&found.location).await?;
        }
        if let Some(local) = &self.local {
            // The folder itself; it is no matter if somebody is just putting something into it.
            let path = local.path_to_filesystem(below).map_err(failed)?;
            let _ = tokio::fs::remove_dir(path).await;
        }
        Ok(())
    }

    /// Lists everything below the key.
    pub(crate) fn list(&self, below: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(Some(below)).map_err(failed).boxed()
    }

    async fn soon<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        failed: fn(E) -> Error,
    ) -> Result<T> {
        match tokio::time::timeout(self.patience, call).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(silent(self.patience)),
        }
    }
}

fn silent(patience: Duration) -> Error {
    Error::timeout("the object store", patience)
}

fn failed(error: object_store::Error) -> Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            ErrorKind::Unsupported
        }
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "the store of the media's bytes failed").with_source(error)
}

pub(crate) fn damaged() -> Error {
    Error::new(ErrorKind::Integrity, "the media's bytes are not those that were uploaded")
}
