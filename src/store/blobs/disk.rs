//! A file of this machine: put in its place for good, and read without following links.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use crate::store::spool::{Content, not_written};
use crate::util::blocking;
use crate::{
    error::{Error, ErrorKind, Result},
    util::byte_stream::ByteStream,
};

/// How much of a file is read at once.
pub(crate) const PIECE: usize = 128 << 10;

/// Bytes that were found.
pub(crate) struct Found {
    /// Of the whole, in bytes.
    pub(crate) size: u64,
    /// Those of them that were asked for.
    pub(crate) pieces: ByteStream,
}

/// Puts a file in its place, so that neither it nor its name can be lost any more.
pub(crate) async fn place(content: Content, incoming: PathBuf, place: PathBuf) -> Result<()> {
    blocking(move || place_now(content, &incoming, &place)).await?.map_err(not_written)
}

fn place_now(content: Content, incoming: &Path, place: &Path) -> io::Result<()> {
    let file = match content {
        Content::File(file) => file,
        Content::Memory(bytes) => {
            let mut file = NamedTempFile::new_in(incoming)?;
            file.write_all(&bytes)?;
            file.into_temp_path()
        }
    };
    File::open(&file)?.sync_all()?;
    let folder = place.parent().expect("a key has a folder");
    let is_new = !folder.exists();
    if is_new {
        fs::create_dir_all(folder)?;
    }
    file.persist(place).map_err(|error| error.error)?;
    sync_folder(folder)?;
    if is_new {
        // Two levels at most are new: the folder, and that of all such folders.
        for above in folder.ancestors().skip(1).take(2) {
            sync_folder(above)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened, and its entries are as durable as the system makes them.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a file, or a part of it; nothing if there is none.
pub(crate) async fn open(path: PathBuf, range: Option<Range<u64>>) -> Result<Option<Found>> {
    let Some(opened) = blocking(move || open_now(&path, range)).await?? else { return Ok(None) };
    let Opened { file, size, first, left } = opened;
    let first = stream::iter([first]).map(Ok);
    if left == 0 {
        return Ok(Some(Found { size, pieces: first.boxed() }));
    }
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(PIECE);
    let rest = ReaderStream::with_capacity(file.take(left), PIECE).map_err(not_read);
    Ok(Some(Found { size, pieces: first.chain(rest).boxed() }))
}

struct Opened {
    file: File,
    size: u64,
    /// Read at once: for what is small one way to the disk and back is all.
    first: Bytes,
    left: u64,
}

fn open_now(path: &Path, range: Option<Range<u64>>) -> Result<Option<Opened>> {
    let size = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(not_read(error)),
        // Nothing that this crate puts into the folder is a link (promise P9).
        Ok(found) if found.is_symlink() => {
            let what = "a link lies in the media folder where media should be; it is not followed";
            return Err(Error::new(ErrorKind::Integrity, what));
        }
        Ok(found) => found.len(),
    };
    let range = range.unwrap_or(0..size);
    let wanted = range.end.min(size).saturating_sub(range.start);
    let mut file = File::open(path).map_err(not_read)?;
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start)).map_err(not_read)?;
    }
    let mut first = Vec::with_capacity(wanted.min(PIECE as u64) as usize);
    let part = (&mut file).take(wanted.min(PIECE as u64));
    { part }.read_to_end(&mut first).map_err(not_read)?;
    let left = wanted - first.len() as u64;
    Ok(Some(Opened { file, size, first: first.into(), left }))
}

fn not_read(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the media cannot be read").with_source(error)
}
