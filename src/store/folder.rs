//! The folder in which everything lies, and the lock that keeps a second process out.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::error::{Error, ErrorKind, Result};

/// A folder that nobody else uses while this exists.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    // Locked as long as it is open; the system unlocks it however the process ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, locks it, and throws away what uploads left that were cut off.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let failed = |error: io::Error| {
            let what = format!("the media folder {} cannot be used", root.display());
            Error::new(ErrorKind::Unavailable, what).with_source(error)
        };
        fs::create_dir_all(root).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        let lock = lock(&root)?;
        let folder = Self { root, _lock: lock };
        // Whoever put files here is gone, or the lock would not be ours.
        match fs::remove_dir_all(folder.incoming()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => fs::create_dir(folder.incoming()).map_err(failed)?,
        }
        Ok(folder)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where uploads lie until they are complete.
    pub(super) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// Where the rows are.
    pub(super) fn db(&self) -> PathBuf {
        self.root.join("catalog.sqlite")
    }
}

fn lock(root: &Path) -> Result<File> {
    let failed = |error: io::Error| {
        let what = format!("the media folder {} cannot be locked", root.display());
        Error::new(ErrorKind::Unavailable, what).with_source(error)
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
            let what = format!(
                "the media folder {} is in use by another process; processes can share media only \
                 through a media service",
                root.display()
            );
            Err(Error::new(ErrorKind::Unavailable, what))
        }
    }
}
