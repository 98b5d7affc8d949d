//! The folder of a store, and the lock that keeps other processes out if its database is in it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    error::{Error, ErrorKind, Result},
    util::create_private_dir,
};

/// Age of an incomplete upload that no process can still be writing.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// What a folder holds, and so who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Database and blobs of one process.
    Exclusive,
    /// Blobs of any number of processes; the database is elsewhere.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite is in the folder"))]
    Blobs,
    /// Incomplete uploads of any number of processes; database and blobs are elsewhere.
    Scratch,
}

/// A folder that works, and that no other process uses in a way that excludes this one.
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
    pub(super) fn open(root: &Path, sharing: Sharing) -> Result<Self> {
        let cannot = |what: &str| {
            let message = format!("the media folder {} {what}", root.display());
            move |error: io::Error| Error::new(ErrorKind::Unavailable, message).with_source(error)
        };
        create_private_dir(root).map_err(cannot("cannot be created"))?;
        let root = fs::canonicalize(root).map_err(cannot("cannot be used"))?;
        warn_if_readable_by_others(&root);
        let mut locks = Vec::new();
        let lock = private_file(&root.join("lock"));
        locks.push(locked(lock.map_err(cannot("is not writable"))?, &root, sharing)?);
        if cfg!(unix) {
            let itself = File::open(&root).map_err(cannot("is not readable"))?;
            locks.push(locked(itself, &root, sharing)?);
        }
        let folder = Self { root: root.clone(), _locks: locks };
        let incoming = folder.incoming();
        let cleaned = match sharing {
            // The process that wrote these files has ended, because the lock is ours.
            Sharing::Exclusive => match fs::remove_dir_all(&incoming) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => create_private_dir(&incoming),
            },
            _ => create_private_dir(&incoming).and_then(|()| remove_abandoned(&incoming)),
        };
        cleaned.map_err(cannot("is not writable"))?;
        match sharing {
            // SQLite gives its log the mode of the database, which it would create with that of the umask.
            Sharing::Exclusive => {
                private_file(&folder.database())
                    .map_err(cannot("has a database that is not writable"))?;
            }
            Sharing::Blobs if folder.database().exists() => return Err(has_records(&folder)),
            _ => {}
        }
        if sharing != Sharing::Scratch {
            folder.check_rename("blobs")?;
            folder.check_rename("renditions")?;
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

    /// Moves a file from `incoming` to a folder, as each upload does. That fails across file systems.
    fn check_rename(&self, name: &str) -> Result<()> {
        let folder = self.root.join(name);
        let moved = create_private_dir(&folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(self.incoming()))
            .and_then(|file| {
                // With a name of its own, because other processes may do the same.
                let probe = folder.join(file.path().file_name().unwrap_or_default());
                file.persist(&probe).map_err(|error| error.error)?;
                fs::remove_file(probe)
            });
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

/// Deletes incomplete uploads of processes that were killed.
fn remove_abandoned(incoming: &Path) -> io::Result<()> {
    let before = SystemTime::now().checked_sub(ABANDONED);
    for entry in fs::read_dir(incoming)? {
        let path = entry?.path();
        // Another process may have moved the file, or deleted it.
        let Ok(changed) = path.metadata().and_then(|metadata| metadata.modified()) else {
            continue;
        };
        if before.is_some_and(|before| changed < before) {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// Without the records in it, the blobs of the folder would be garbage.
fn has_records(folder: &Folder) -> Error {
    let message = format!(
        "the media folder has records in {}; move them to the other database, and then rename this file",
        folder.database().display()
    );
    Error::new(ErrorKind::InvalidInput, message)
}

/// Locks a file of the folder: exclusively for SQLite, and otherwise against SQLite.
fn locked(file: File, root: &Path, sharing: Sharing) -> Result<File> {
    let root = root.display();
    let locked = match sharing {
        Sharing::Exclusive => file.try_lock(),
        _ => file.try_lock_shared(),
    };
    match locked {
        Ok(()) => Ok(file),
        // The database coordinates processes that share the folder, so they need no lock.
        Err(TryLockError::Error(_)) if sharing != Sharing::Exclusive => Ok(file),
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
