//! An upload on its way in: counted, hashed and limited while it is written, and gone if it is cut.

use std::{io, path::Path, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use super::quota::Reservation;
use crate::util::blocking;
use crate::{
    error::{Error, ErrorKind, Result},
    id::ContentHash,
    media::{UploadBody, file_length, read_file},
    util::byte_stream::{ByteStream, too_large, with_idle_timeout},
};

/// What is kept in memory of an upload; what is longer goes to a file, in pieces of this size.
const IN_MEMORY: usize = 512 << 10;

/// Enough to tell the type.
const HEAD: usize = 8 << 10;

/// An upload that is complete.
#[derive(Debug)]
pub(super) struct Spooled {
    pub(super) content: Content,
    pub(super) size: u64,
    pub(super) hash: ContentHash,
    /// The first bytes.
    pub(super) head: Bytes,
}

/// Bytes that are all there.
#[derive(Debug)]
pub(super) enum Content {
    Memory(Bytes),
    /// A file that is deleted with this, unless it is put elsewhere before.
    File(TempPath),
}

/// Where uploads are written to, and what they may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spool<'a> {
    pub(super) incoming: &'a Path,
    pub(super) limit: u64,
    /// How long nothing may come.
    pub(super) patience: Duration,
}

impl Spool<'_> {
    /// Reads an upload to its end.
    pub(super) async fn read(
        self,
        body: UploadBody,
        reservation: &mut Reservation,
    ) -> Result<Spooled> {
        match body {
            UploadBody::Bytes(bytes) => {
                self.admit(bytes.len() as u64)?;
                reservation.take(bytes.len() as u64)?;
                in_memory(bytes).await
            }
            UploadBody::File(path) => {
                let length = file_length(&path).await?;
                self.admit(length)?;
                self.read_pieces(read_file(path, length), reservation).await
            }
            UploadBody::Stream(pieces) => self.read_pieces(pieces, reservation).await,
        }
    }

    async fn read_pieces(
        self,
        pieces: ByteStream,
        reservation: &mut Reservation,
    ) -> Result<Spooled> {
        let mut pieces = with_idle_timeout(self.patience, pieces, stood_still);
        let mut buffer = BytesMut::new();
        let mut file = None;
        let mut size = 0;
        while let Some(piece) = pieces.try_next().await? {
            size += piece.len() as u64;
            self.admit(size)?;
            reservation.take(piece.len() as u64)?;
            buffer.extend_from_slice(&piece);
            if buffer.len() >= IN_MEMORY {
                file = Some(self.write(file, buffer.split().freeze()).await?);
            }
        }
        match file {
            None => in_memory(buffer.freeze()).await,
            Some(file) => {
                let Writing { file, hasher, head } =
                    self.write(Some(file), buffer.freeze()).await?;
                let hash = ContentHash::from_bytes(hasher.finalize().into());
                Ok(Spooled { content: Content::File(file.into_temp_path()), size, hash, head })
            }
        }
    }

    fn admit(&self, size: u64) -> Result<()> {
        if size > self.limit { Err(too_large(self.limit)) } else { Ok(()) }
    }

    async fn write(self, file: Option<Writing>, piece: Bytes) -> Result<Writing> {
        let incoming = self.incoming.to_owned();
        blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => Writing::begin(&incoming, &piece)?,
            };
            file.hasher.update(&piece);
            io::Write::write_all(&mut file.file, &piece)?;
            Ok(file)
        })
        .await?
        .map_err(not_written)
    }
}

fn stood_still(patience: Duration) -> Error {
    let what = format!("nothing came of the upload for {patience:?}");
    Error::new(ErrorKind::InvalidInput, what)
}

struct Writing {
    file: NamedTempFile,
    hasher: Sha256,
    head: Bytes,
}

impl Writing {
    fn begin(incoming: &Path, first: &Bytes) -> io::Result<Self> {
        let file = NamedTempFile::new_in(incoming)?;
        // A copy: a slice would keep all of the first piece in memory.
        let head = Bytes::copy_from_slice(&first[..first.len().min(HEAD)]);
        Ok(Self { file, hasher: Sha256::new(), head })
    }
}

async fn in_memory(bytes: Bytes) -> Result<Spooled> {
    let hashed = bytes.clone();
    let hash = if bytes.len() > IN_MEMORY {
        blocking(move || ContentHash::of(&hashed)).await?
    } else {
        ContentHash::of(&hashed)
    };
    let head = bytes.slice(..bytes.len().min(HEAD));
    Ok(Spooled { size: bytes.len() as u64, content: Content::Memory(bytes), hash, head })
}

/// A disk that is full, or worse.
pub(super) fn not_written(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the media cannot be written").with_source(error)
}
