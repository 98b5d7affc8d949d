//! The checksum of a part (tus extension "checksum").

use std::io::SeekFrom;

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::TryStreamExt as _;
use http_body_util::BodyExt as _;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncSeekExt as _, AsyncWriteExt as _},
};
use tokio_util::io::ReaderStream;

use super::rejection::{TusRejection, body_rejection};
use crate::error::{Error, ErrorKind, Result};

/// The algorithms, as `Tus-Checksum-Algorithm` names them.
pub(super) const ALGORITHMS: &str = "sha1,sha256";

/// The checksum that a part must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksum {
    algorithm: Algorithm,
    digest: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
}

impl Checksum {
    /// Parses the value of `Upload-Checksum`: an algorithm and the digest in base64.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (algorithm, digest) = text.split_once(' ')?;
        let (algorithm, length) = match algorithm {
            "sha1" => (Algorithm::Sha1, 20),
            "sha256" => (Algorithm::Sha256, 32),
            _ => return None,
        };
        let digest = BASE64_STANDARD.decode(digest.trim()).ok()?;
        (digest.len() == length).then_some(Self { algorithm, digest })
    }

    /// Reads a part into a temporary file and returns it from there if it has this checksum, so that no byte of a
    /// part without it is stored. Returns `None` if the part has more than `max_bytes`.
    pub(super) async fn verify(
        &self,
        body: Body,
        max_bytes: u64,
    ) -> Result<Option<Body>, TusRejection> {
        match self.algorithm {
            Algorithm::Sha1 => self.verify_with::<Sha1>(body, max_bytes).await,
            Algorithm::Sha256 => self.verify_with::<Sha256>(body, max_bytes).await,
        }
    }

    async fn verify_with<D: Digest>(
        &self,
        mut body: Body,
        mut left: u64,
    ) -> Result<Option<Body>, TusRejection> {
        let file = tokio::task::spawn_blocking(tempfile::tempfile).await;
        let file = file.map_err(|_| Error::new(ErrorKind::Internal, "a task failed"))?;
        let mut file = File::from_std(file.map_err(not_spooled)?);
        let mut hash = D::new();
        while let Some(frame) = body.frame().await {
            if let Ok(chunk) = frame.map_err(body_rejection)?.into_data() {
                let Some(rest) = left.checked_sub(chunk.len() as u64) else { return Ok(None) };
                left = rest;
                hash.update(&chunk);
                file.write_all(&chunk).await.map_err(not_spooled)?;
            }
        }
        if hash.finalize().as_slice() != self.digest {
            return Err(TusRejection::ChecksumMismatch);
        }
        file.flush().await.map_err(not_spooled)?;
        file.seek(SeekFrom::Start(0)).await.map_err(not_spooled)?;
        Ok(Some(Body::from_stream(ReaderStream::new(file).map_err(not_spooled))))
    }
}

fn not_spooled(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the part could not be written to a temporary file")
        .with_source(error)
}
