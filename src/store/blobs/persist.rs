//! Local files: durable placement, and reads that follow no symbolic link.
//!
//! `object_store`'s `LocalFileSystem::with_fsync` is as durable, but copies a spooled upload, stages beside
//! the destination, where a crash leaves the staged file, and creates files with the modes of the umask.

use std::{
    fs::{self, File},
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use crate::{
    error::{Error, ErrorKind, Result},
    util::{blocking, byte_stream::ByteStream, create_private_dir},
};

/// Number of bytes of a file in one chunk of its stream.
pub(super) const CHUNK_SIZE: usize = 128 << 10;

/// Complete bytes, to be stored as a blob.
#[derive(Debug)]
pub(in crate::store) enum BlobSource {
    Memory(Bytes),
    /// A temporary file, deleted on drop.
    File(TempPath),
}

/// An opened blob.
pub(in crate::store) struct BlobRead {
    /// Size of the whole blob, in bytes.
    pub(in crate::store) size: u64,
    /// The requested range of the blob.
    pub(in crate::store) chunks: ByteStream,
}

/// Places a blob at its destination. Once this returns, both the file and its name are durable.
pub(super) async fn persist(
    source: &BlobSource,
    incoming: PathBuf,
    destination: PathBuf,
) -> Result<()> {
    let persisted = match source {
        BlobSource::File(file) => {
            let file = file.to_path_buf();
            blocking(move || persist_linked(&file, &destination)).await?
        }
        BlobSource::Memory(bytes) => {
            let bytes = bytes.clone();
            blocking(move || {
                let mut file = new_temp_file(&incoming)?;
                file.write_all(&bytes)?;
                persist_file(&file.into_temp_path(), &destination)
            })
            .await?
        }
    };
    persisted.map_err(not_written)
}

/// Places a second name of a temporary file, so that the file can be placed once more under another key.
/// Without hard links the file itself is moved, and placing it again fails.
fn persist_linked(file: &Path, destination: &Path) -> io::Result<()> {
    let link = file.with_extension("link");
    match fs::hard_link(file, &link) {
        Ok(()) => {
            let placed = persist_file(&link, destination);
            // It is left after a failure, and by a rename to another name of the same file.
            let _ = fs::remove_file(&link);
            placed
        }
        Err(_) => persist_file(file, destination),
    }
}

/// Moves a temporary file. Its `TempPath` then finds nothing to delete.
fn persist_file(file: &Path, destination: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    let folder = destination.parent().expect("a key has a folder");
    let is_new = !folder.exists();
    if is_new {
        create_private_dir(folder)?;
    }
    fs::rename(file, destination)?;
    sync_folder(folder)?;
    if is_new {
        // At most two levels are new: the folder and its parent.
        for parent in folder.ancestors().skip(1).take(2) {
            sync_folder(parent)?;
        }
    }
    Ok(())
}

/// Creates a temporary file in the folder of incoming uploads, which is created again if it was deleted
/// (promise R9). Its mode is 0600 (promise P20).
pub(in crate::store) fn new_temp_file(incoming: &Path) -> io::Result<NamedTempFile> {
    match NamedTempFile::new_in(incoming) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_private_dir(incoming)?;
            NamedTempFile::new_in(incoming)
        }
        created => created,
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems cannot open a folder; its entries are as durable as the system makes them.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a file, or a range of it; `None` if the file is missing.
pub(super) async fn open(path: PathBuf, range: Option<Range<u64>>) -> Result<Option<BlobRead>> {
    let Some(opened) = blocking(move || open_blocking(&path, range)).await?? else {
        return Ok(None);
    };
    let Opened { file, size, first, remaining } = opened;
    let first = stream::iter([first]).map(Ok);
    if remaining == 0 {
        return Ok(Some(BlobRead { size, chunks: first.boxed() }));
    }
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(CHUNK_SIZE);
    let rest = ReaderStream::with_capacity(file.take(remaining), CHUNK_SIZE).map_err(not_read);
    Ok(Some(BlobRead { size, chunks: first.chain(rest).boxed() }))
}

struct Opened {
    file: File,
    size: u64,
    /// The first chunk, read in the same trip to the blocking pool: all that a small file takes.
    first: Bytes,
    remaining: u64,
}

fn open_blocking(path: &Path, range: Option<Range<u64>>) -> Result<Option<Opened>> {
    let size = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(not_read(error)),
        // This crate never creates a symbolic link in the folder (promise P9).
        Ok(metadata) if metadata.is_symlink() => {
            let message = "a symbolic link is in the place of a media file; links are not followed";
            return Err(Error::new(ErrorKind::Integrity, message));
        }
        Ok(metadata) => metadata.len(),
    };
    let range = range.unwrap_or(0..size);
    let length = range.end.min(size).saturating_sub(range.start);
    let mut file = File::open(path).map_err(not_read)?;
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start)).map_err(not_read)?;
    }
    let first_length = length.min(CHUNK_SIZE as u64);
    let mut first = Vec::with_capacity(first_length as usize);
    Read::by_ref(&mut file).take(first_length).read_to_end(&mut first).map_err(not_read)?;
    let remaining = length - first.len() as u64;
    Ok(Some(Opened { file, size, first: first.into(), remaining }))
}

fn not_read(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the media file cannot be read").with_source(error)
}

pub(in crate::store) fn not_written(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the media file cannot be written").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn m02_a_file_is_placed_again_under_another_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let incoming = folder.path().join("incoming");
        let mut file = new_temp_file(&incoming).expect("a file");
        file.write_all(b"bytes").expect("a write");
        let source = BlobSource::File(file.into_temp_path());
        for name in ["ab/1", "ab/2", "ab/2"] {
            let destination = folder.path().join(name);
            persist(&source, incoming.clone(), destination.clone()).await.expect("placed");
            assert_eq!(fs::read(destination).expect("a file"), b"bytes");
        }
        drop(source);
        assert_eq!(fs::read_dir(incoming).expect("a folder").count(), 0);
    }
}
