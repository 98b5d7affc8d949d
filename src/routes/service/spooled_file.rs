//! A file of a form, kept until the form has been read: only then is it known whose it is.

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

/// What is kept in memory; what is longer goes to a file, in pieces of this size.
const IN_MEMORY: usize = 256 << 10;

/// How much of the file is read at once.
const PIECE: usize = 128 << 10;

/// Bytes on their way: in memory, or in a file without a name, which not even a crash leaves behind.
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

    pub(super) async fn write(&mut self, piece: &Bytes) -> Result<()> {
        self.size += piece.len() as u64;
        self.buffer.extend_from_slice(piece);
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
        let pieces = ReaderStream::with_capacity(file, PIECE);
        Ok(Upload::from_stream(pieces.map_err(not_kept)))
    }

    /// Moves what is in memory to the file.
    async fn spill(&mut self, rewind: bool) -> Result<File> {
        let (piece, file) = (self.buffer.split().freeze(), self.file.take());
        let folder = self.folder.clone();
        let write = move || -> io::Result<File> {
            let mut file = match file {
                Some(file) => file,
                None => tempfile::tempfile_in(folder)?,
            };
            file.write_all(&piece)?;
            if rewind {
                file.rewind()?;
            }
            Ok(file)
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(io::Error::other).flatten().map_err(not_kept)
    }
}

/// A disk that is full, or worse.
fn not_kept(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the upload cannot be kept").with_source(error)
}
