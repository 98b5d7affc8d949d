//! A store in a temporary folder, owners and images.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use tempfile::TempDir;
use tower_media::{
    Media, MediaId, Owner, Rendition, Result, Store, Upload,
    backend::{ImageLimits, MediaBackend},
    store::StoreBuilder,
};

use crate::postgres::Cluster;

/// A builder with a decode timeout that a busy machine can meet.
pub fn builder() -> StoreBuilder {
    let limits = ImageLimits::new().with_timeout(Duration::from_secs(120));
    Store::builder().image_limits(limits)
}

/// A store in a temporary folder.
pub struct TestStore {
    pub folder: TempDir,
    pub store: Store,
}

impl TestStore {
    pub async fn new() -> Self {
        Self::with(builder()).await
    }

    pub async fn with(builder: StoreBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // `.ci/postgres` runs the same tests over a database of PostgreSQL.
        let builder = match std::env::var_os("TOWER_MEDIA_TEST_POSTGRES") {
            Some(_) => builder.postgres(Cluster::shared().create_database().await),
            None => builder,
        };
        let store = builder.open(folder.path()).await.unwrap();
        Self { folder, store }
    }

    /// All files below a folder of the store.
    pub fn files(&self, below: &str) -> Vec<PathBuf> {
        files(&self.folder.path().join(below))
    }

    /// The file with the original.
    pub fn blob(&self, media: &Media) -> PathBuf {
        let hash = media.hash.to_string();
        let mut found = self.files(&format!("blobs/{}", &hash[..2])).into_iter();
        let is_it =
            |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().contains(&hash[2..]);
        found.rfind(is_it).unwrap()
    }
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect();
    found.sort();
    found
}

pub fn owner(name: &str) -> Owner {
    Owner::new(name).unwrap()
}

pub fn upload(bytes: impl Into<Bytes>) -> Upload {
    Upload::new(bytes).scope("me")
}

pub fn picture(name: &str) -> Bytes {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images/");
    std::fs::read(format!("{folder}{name}")).unwrap().into()
}

pub async fn keep(store: &Store, bytes: impl Into<Bytes>, owner: &Owner) -> Media {
    store.upload(owner, upload(bytes)).await.unwrap()
}

pub async fn read(store: &Store, id: &MediaId, what: impl Into<Rendition>) -> Result<Bytes> {
    store.download(id, &what.into().into()).await?.into_bytes(1 << 30).await
}

/// A tmpfs of 4 MiB, which needs root. It is unmounted when dropped.
#[cfg(target_os = "linux")]
pub struct SmallDisk(TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    pub fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], folder.path());
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn remount_read_only(&self) {
        mount(&["-o", "remount,ro"], self.path());
    }
}

#[cfg(target_os = "linux")]
fn mount(arguments: &[&str], folder: &Path) {
    let status = std::process::Command::new("mount").args(arguments).arg(folder).status();
    assert!(status.unwrap().success(), "mount {arguments:?}");
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a failed test may still have files open.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
