//! The folder of a store, and the lock that keeps other processes out.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::error::{Error, ErrorKind, Result};

/// A folder that this process uses exclusively.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    // Locked while it is open; the system unlocks it however the process ends.
    _lock: File,
}

impl Folder {
    /// Creates the folder if it is missing, locks it, and deletes what interrupted uploads left.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let failed = |error: io::Error| {
            let message = format!("the media folder {} cannot be used", root.display());
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        };
        fs::create_dir_all(root).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        let lock = lock(&root)?;
        let folder = Self { root, _lock: lock };
        // The process that wrote these files has ended, because the lock is ours.
        match fs::remove_dir_all(folder.incoming()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => fs::create_dir(folder.incoming()).map_err(failed)?,
        }
        Ok(folder)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of incomplete uploads.
    pub(super) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// The database file.
    pub(super) fn database(&self) -> PathBuf {
        self.root.join("media.sqlite")
    }
}

fn lock(root: &Path) -> Result<File> {
    let failed = |error: io::Error| {
        let message = format!("the media folder {} cannot be locked", root.display());
        Error::new(ErrorKind::Unavailable, message).with_source(error)
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(root.join("lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "the media folder {} is in use by another process; to share media between processes, \
                 run a media service",
                root.display()
            );
            Err(Error::new(ErrorKind::Unavailable, message))
        }
    }
}
