//! Spools an upload body: counts, hashes and limits it while it is written to memory or to a temporary file.

use std::{
    io::{self, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{
    blobs::{BlobSource, is_disk_full, new_temp_file, not_written},
    db::over_quota,
    inner::Inner,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::ContentHash,
    media::{UploadBody, file_length, read_file},
    util::{
        blocking,
        byte_stream::{ByteStream, too_large, with_idle_timeout},
    },
};

/// Maximum size of an upload that stays in memory. A longer one is written to a file in chunks of this size.
const MAX_IN_MEMORY: usize = 512 << 10;

/// Size of the head that MIME sniffing gets.
const HEAD: usize = 8 << 10;

/// A completely received upload.
#[derive(Debug)]
pub(super) struct Spooled {
    pub(super) source: BlobSource,
    pub(super) size: u64,
    pub(super) hash: ContentHash,
    pub(super) head: Bytes,
}

/// Receives one upload within its limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spool<'a> {
    pub(super) inner: &'a Inner,
    /// Bytes of the owner when the upload began, to refuse early what the commit would refuse. `None` for media
    /// that another store has accepted, which have no limits.
    pub(super) used: Option<u64>,
}

impl Spool<'_> {
    /// Reads the body to its end.
    pub(super) async fn read(self, body: UploadBody) -> Result<Spooled> {
        match body {
            UploadBody::Bytes(bytes) => {
                self.check_size(bytes.len() as u64)?;
                in_memory(bytes).await
            }
            UploadBody::File(path) => {
                let length = file_length(&path).await?;
                self.check_size(length)?;
                self.read_stream(read_file(path, length)).await
            }
            UploadBody::Stream(chunks) => self.read_stream(chunks).await,
        }
    }

    async fn read_stream(self, chunks: ByteStream) -> Result<Spooled> {
        let mut chunks = with_idle_timeout(self.inner.settings.idle_timeout, chunks, timed_out);
        let mut buffer = BytesMut::new();
        let mut file = None;
        let mut size = 0;
        while let Some(chunk) = chunks.try_next().await? {
            size += chunk.len() as u64;
            self.check_size(size)?;
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= MAX_IN_MEMORY {
                file = Some(self.write(file, buffer.split().freeze()).await?);
            }
        }
        match file {
            None => in_memory(buffer.freeze()).await,
            Some(file) => {
                let SpoolFile { file, hasher, head, .. } =
                    self.write(Some(file), buffer.freeze()).await?;
                let hash = ContentHash::from_bytes(hasher.finalize().into());
                Ok(Spooled { source: BlobSource::File(file.into_temp_path()), size, hash, head })
            }
        }
    }

    fn check_size(&self, size: u64) -> Result<()> {
        let Some(used) = self.used else { return Ok(()) };
        let settings = &self.inner.settings;
        if size > settings.max_bytes {
            return Err(too_large(settings.max_bytes));
        }
        match settings.quota {
            Some(quota) if used.saturating_add(size) > quota => Err(over_quota(quota)),
            _ => Ok(()),
        }
    }

    async fn write(self, file: Option<SpoolFile>, chunk: Bytes) -> Result<SpoolFile> {
        let mut file = match file {
            Some(file) => file,
            None => {
                let incoming = self.inner.folder.incoming();
                let head = chunk.slice(..chunk.len().min(HEAD));
                blocking(move || SpoolFile::create(&incoming, &head)).await?.map_err(not_written)?
            }
        };
        let size = chunk.len() as u64;
        let written;
        (file, written) = file.append(chunk.clone()).await?;
        match written {
            // Renditions can be made again, so they make room for uploads (promise R10).
            Err(error) if is_disk_full(&error) && self.inner.free(size).await? => {
                let written;
                (file, written) = file.append(chunk).await?;
                written.map(|()| file)
            }
            written => written.map(|()| file),
        }
    }
}

fn timed_out(idle_timeout: Duration) -> Error {
    let message = format!("no bytes of the upload arrived for {idle_timeout:?}; send it again");
    Error::new(ErrorKind::InvalidInput, message)
}

struct SpoolFile {
    file: NamedTempFile,
    length: u64,
    hasher: Sha256,
    head: Bytes,
}

impl SpoolFile {
    fn create(incoming: &Path, head: &[u8]) -> io::Result<Self> {
        let file = new_temp_file(incoming)?;
        // A copy, because a slice would keep the whole first chunk in memory.
        let head = Bytes::copy_from_slice(head);
        Ok(Self { file, length: 0, hasher: Sha256::new(), head })
    }

    /// Appends a chunk completely, or not at all.
    async fn append(mut self, chunk: Bytes) -> Result<(Self, Result<()>)> {
        blocking(move || {
            let written = self.file.write_all(&chunk).map(|()| {
                self.hasher.update(&chunk);
                self.length += chunk.len() as u64;
            });
            let written = written.map_err(|error| {
                let undone = self.file.as_file().set_len(self.length);
                let undone = undone.and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
                not_written(undone.err().unwrap_or(error))
            });
            (self, written)
        })
        .await
    }
}

async fn in_memory(bytes: Bytes) -> Result<Spooled> {
    let hashed = bytes.clone();
    let hash = if bytes.len() > MAX_IN_MEMORY {
        blocking(move || ContentHash::of(&hashed)).await?
    } else {
        ContentHash::of(&hashed)
    };
    let head = bytes.slice(..bytes.len().min(HEAD));
    Ok(Spooled { size: bytes.len() as u64, source: BlobSource::Memory(bytes), hash, head })
}
