//! Spool of a file while the rest of its form is read.

use std::{
    fs::File,
    io::{self, Seek as _, Write as _},
    path::PathBuf,
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_util::io::ReaderStream;

use crate::{
    error::{Error, ErrorKind, Result},
    media::{Upload, UploadBody},
};

/// The size of the buffer in memory. A larger file is written to disk in chunks of this size.
const IN_MEMORY: usize = 256 << 10;

/// The size of a chunk that is read from disk.
const CHUNK_SIZE: usize = 128 << 10;

/// Bytes in memory, or in an unnamed temporary file, which the system deletes even after a crash.
#[derive(Debug)]
pub(in crate::routes) struct SpooledFile {
    folder: PathBuf,
    buffer: BytesMut,
    file: Option<File>,
    size: u64,
}

impl SpooledFile {
    pub(in crate::routes) fn new(folder: PathBuf) -> Self {
        Self { folder, buffer: BytesMut::new(), file: None, size: 0 }
    }

    pub(in crate::routes) fn size(&self) -> u64 {
        self.size
    }

    pub(in crate::routes) async fn write(&mut self, chunk: &Bytes) -> Result<()> {
        self.size += chunk.len() as u64;
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() < IN_MEMORY {
            return Ok(());
        }
        self.file = Some(self.spill(false).await?);
        Ok(())
    }

    /// Reads the bytes of an upload, and returns the upload of the spooled bytes with their number.
    pub(in crate::routes) async fn spool(
        mut upload: Upload,
        folder: PathBuf,
    ) -> Result<(Upload, u64)> {
        let mut spooled = Self::new(folder);
        let mut chunks = upload.take_body().into_stream().await?;
        while let Some(chunk) = chunks.try_next().await? {
            spooled.write(&chunk).await?;
        }
        let size = spooled.size();
        Ok((upload.with_body(spooled.into_body().await?), size))
    }

    /// Returns the bytes as an upload.
    pub(in crate::routes) async fn into_upload(self) -> Result<Upload> {
        Ok(Upload::new(Bytes::new()).with_body(self.into_body().await?))
    }

    async fn into_body(mut self) -> Result<UploadBody> {
        if self.file.is_none() {
            return Ok(UploadBody::Bytes(self.buffer.freeze()));
        }
        let file = tokio::fs::File::from_std(self.spill(true).await?);
        let chunks = ReaderStream::with_capacity(file, CHUNK_SIZE);
        Ok(UploadBody::Stream(chunks.map_err(spool_error).boxed()))
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
