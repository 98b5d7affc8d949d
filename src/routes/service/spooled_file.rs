//! Spool of a file while the rest of its form is read, because the owner may come after the file.

use std::{
    fs::File,
    io::{self, Seek as _, Write as _},
    path::PathBuf,
};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use tokio_util::io::ReaderStream;

use crate::{
    error::{Error, ErrorKind, Result},
    media::Upload,
};

/// The size of the buffer in memory. A larger file is written to disk in chunks of this size.
const IN_MEMORY: usize = 256 << 10;

/// The size of a chunk that is read from disk.
const CHUNK_SIZE: usize = 128 << 10;

/// Bytes in memory, or in an unnamed temporary file, which the system deletes even after a crash.
#[derive(Debug)]
pub(super) struct SpooledFile {
    folder: PathBuf,
    buffer: BytesMut,
    file: Option<File>,
    size: u64,
}

impl SpooledFile {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, buffer: BytesMut::new(), file: None, size: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) async fn write(&mut self, chunk: &Bytes) -> Result<()> {
        self.size += chunk.len() as u64;
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() < IN_MEMORY {
            return Ok(());
        }
        self.file = Some(self.spill(false).await?);
        Ok(())
    }

    /// Returns the bytes as an upload.
    pub(super) async fn into_upload(mut self) -> Result<Upload> {
        if self.file.is_none() {
            return Ok(Upload::new(self.buffer.freeze()));
        }
        let file = tokio::fs::File::from_std(self.spill(true).await?);
        let chunks = ReaderStream::with_capacity(file, CHUNK_SIZE);
        Ok(Upload::from_stream(chunks.map_err(spool_error)))
    }

    /// Appends the buffer to the file.
    async fn spill(&mut self, rewind: bool) -> Result<File> {
        let (chunk, file) = (self.buffer.split().freeze(), self.file.take());
        let folder = self.folder.clone();
        let write = move || -> io::Result<File> {
            let mut file = match file {
                Some(file) => file,
                None => tempfile::tempfile_in(folder)?,
            };
            file.write_all(&chunk)?;
            if rewind {
                file.rewind()?;
            }
            Ok(file)
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(io::Error::other).flatten().map_err(spool_error)
    }
}

/// A full disk, or another error of the temporary folder.
fn spool_error(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the upload cannot be written to the temporary folder")
        .with_source(error)
}
