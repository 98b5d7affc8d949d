//! Uploads of files to an object store: in one request, or in parts of bounded size, and aborted on failure.

use object_store::{MultipartUpload, ObjectStoreExt as _, path::Path};
use tokio::{fs::File, io::AsyncReadExt as _};

use super::{
    blob_store::{Blobs, failed},
    persist::not_written,
};
use crate::error::Result;

/// Size of a part, in bytes, and of the largest file that is sent in one request. S3 has at least 5 MiB.
const PART: u64 = 8 << 20;

/// The maximum number of parts of an upload to S3.
const MAX_PARTS: u64 = 10_000;

impl Blobs {
    /// Stores a file, with one part at a time in memory.
    pub(super) async fn put_file(&self, key: &Path, path: &std::path::Path) -> Result<()> {
        let mut file = File::open(path).await.map_err(not_written)?;
        let size = file.metadata().await.map_err(not_written)?.len();
        if size <= PART {
            let bytes = read(&mut file, size).await?;
            return self.with_timeout(self.store.put(key, bytes.into()), failed).await.map(drop);
        }
        let mut upload = self.with_timeout(self.store.put_multipart(key), failed).await?;
        let sent = self.put_parts(&mut *upload, file, size.div_ceil(MAX_PARTS).max(PART)).await;
        if sent.is_err()
            && let Err(error) = self.with_timeout(upload.abort(), failed).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a failed multipart upload cannot be aborted; the bucket's lifecycle rule has to delete its parts"
            );
        }
        sent
    }

    async fn put_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        mut file: File,
        part: u64,
    ) -> Result<()> {
        loop {
            let bytes = read(&mut file, part).await?;
            if bytes.is_empty() {
                return self.with_timeout(upload.complete(), failed).await.map(drop);
            }
            self.with_timeout(upload.put_part(bytes.into()), failed).await?;
        }
    }
}

/// Reads up to `length` bytes.
async fn read(file: &mut File, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(length).read_to_end(&mut bytes).await.map_err(not_written)?;
    Ok(bytes)
}
