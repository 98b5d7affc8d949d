//! The folder of a store, and the lock that keeps other processes out.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::blobs::create_private_dir;
use crate::error::{Error, ErrorKind, Result};

/// A folder that this process uses exclusively.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    // Locked while they are open; the system unlocks them however the process ends. The folder itself is
    // locked as well, because the file `lock` can be deleted.
    _locks: Vec<File>,
}

impl Folder {
    /// Creates the folder if it is missing, locks it, checks that it works, and deletes what interrupted
    /// uploads left.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let cannot = |what: &str| {
            let message = format!("the media folder {} {what}", root.display());
            move |error: io::Error| Error::new(ErrorKind::Unavailable, message).with_source(error)
        };
        create_private_dir(root).map_err(cannot("cannot be created"))?;
        let root = fs::canonicalize(root).map_err(cannot("cannot be used"))?;
        warn_if_readable_by_others(&root);
        let mut locks = Vec::new();
        let lock = private_file(&root.join("lock"));
        locks.push(exclusive(lock.map_err(cannot("is not writable"))?, &root)?);
        if cfg!(unix) {
            locks.push(exclusive(File::open(&root).map_err(cannot("is not readable"))?, &root)?);
        }
        let folder = Self { root: root.clone(), _locks: locks };
        // The process that wrote these files has ended, because the lock is ours.
        match fs::remove_dir_all(folder.incoming()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("is not writable")(error));
            }
            _ => create_private_dir(&folder.incoming()).map_err(cannot("is not writable"))?,
        }
        // SQLite gives its log the mode of the database, which it would create with that of the umask.
        private_file(&folder.database()).map_err(cannot("has a database that is not writable"))?;
        folder.check_rename("blobs")?;
        folder.check_rename("renditions")?;
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

    /// Moves a file from `incoming` to a folder, as each upload does. That fails across file systems.
    fn check_rename(&self, name: &str) -> Result<()> {
        let folder = self.root.join(name);
        let moved = create_private_dir(&folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(self.incoming()))
            .and_then(|file| file.persist(folder.join(".probe")).map_err(|error| error.error))
            .and_then(|_| fs::remove_file(folder.join(".probe")));
        moved.map_err(|error| {
            let (from, to) = (self.incoming(), folder.display());
            let message = match error.kind() {
                io::ErrorKind::CrossesDevices => format!(
                    "{to} is on another file system than {}; mount the whole media folder instead",
                    from.display()
                ),
                _ => format!("{to} is not writable; check its permissions and its mount"),
            };
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        })
    }
}

/// Opens a file for writing, creating it with mode 0600 (promise P20).
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn warn_if_readable_by_others(root: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = root.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            mode = format!("{mode:o}"),
            "other users of this machine can access the media folder; set its mode to 700"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_: &Path) {}

fn exclusive(file: File, root: &Path) -> Result<File> {
    let root = root.display();
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => {
            let message = format!(
                "the media folder {root} cannot be locked; use a local file system that supports locks"
            );
            Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
        }
        Err(TryLockError::WouldBlock) => {
            let message = format!(
                "the media folder {root} is in use by another process; to share media between processes, \
                 run a media service"
            );
            Err(Error::new(ErrorKind::Unavailable, message))
        }
    }
}
