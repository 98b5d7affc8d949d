//! Extension methods of every backend.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::MediaBackend;
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{Download, DownloadOptions, Media, MediaStatus},
};

/// The number of concurrent downloads of one [`MediaBackendExt::download_all`].
const CONCURRENT: usize = 4;

/// The first and the longest polling interval of [`MediaBackendExt::wait_until_ready`].
const POLL_INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Extension methods of every [`MediaBackend`].
pub trait MediaBackendExt: MediaBackend {
    /// Reads the same rendition or range of each of `ids` into memory, in their order.
    ///
    /// # Behavior
    ///
    /// - At most four downloads run concurrently.
    /// - Memory is bounded by `limits`: chunks count as they arrive.
    /// - The first failure cancels the other downloads.
    ///
    /// # Errors
    ///
    /// Those of [`MediaBackend::download`], and
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) beyond a limit.
    fn download_all<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a MediaId, IntoIter: Send> + Send,
        options: DownloadOptions,
        limits: DownloadLimits,
    ) -> impl Future<Output = Result<Vec<DownloadedMedia>>> + Send
    where
        Self: Sized,
    {
        let ids: Vec<MediaId> = ids.into_iter().cloned().collect();
        async move {
            let left = AtomicUsize::new(limits.total);
            let budget = &Arc::new(Budget { total: limits.total, left });
            stream::iter(ids)
                .map(|id| async move {
                    let download = budget.limit(self.download(&id, &options).await?)?;
                    let content_type = download.content_type().to_owned();
                    let bytes = download.into_bytes(limits.each).await?;
                    Ok(DownloadedMedia { id, content_type, bytes })
                })
                .buffered(CONCURRENT)
                .try_collect()
                .await
        }
    }

    /// Waits until the media is processed and returns its record.
    ///
    /// # Behavior
    ///
    /// Polls at growing intervals, from 50 ms to 2 s.
    ///
    /// # Cancellation safety
    ///
    /// Dropping the future has no effect on the media.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`] if processing failed, [`ErrorKind::Timeout`] after the deadline, and
    /// those of [`MediaBackend::get`].
    fn wait_until_ready(
        &self,
        id: &MediaId,
        deadline: Duration,
    ) -> impl Future<Output = Result<Media>> + Send
    where
        Self: Sized,
    {
        let wait = async move {
            let mut interval = POLL_INTERVALS.0;
            loop {
                let media = self.get(id).await?;
                match media.status {
                    MediaStatus::Ready => return Ok(media),
                    MediaStatus::Failed => {
                        let what = "the media could not be processed";
                        return Err(match media.failure_reason {
                            Some(reason) => Error::failed(reason, what),
                            None => Error::new(ErrorKind::Failed, what),
                        });
                    }
                    MediaStatus::Processing => tokio::time::sleep(interval).await,
                }
                interval = (interval * 2).min(POLL_INTERVALS.1);
            }
        };
        async move {
            tokio::time::timeout(deadline, wait)
                .await
                .unwrap_or_else(|_| Err(Error::timeout("processing the media", deadline)))
        }
    }
}

impl<T: MediaBackend> MediaBackendExt for T {}

/// The sizes up to which [`MediaBackendExt::download_all`] reads media into memory.
///
/// # Default
///
/// 64 MiB for each item, and 256 MiB for all items of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct DownloadLimits {
    each: usize,
    total: usize,
}

impl DownloadLimits {
    /// Creates the default limits.
    pub fn new() -> Self {
        Self { each: 64 << 20, total: 256 << 20 }
    }

    /// Sets the greatest size of one item, in bytes.
    pub fn with_each(mut self, bytes: usize) -> Self {
        self.each = bytes;
        self
    }

    /// Sets the greatest size of all items together, in bytes.
    pub fn with_total(mut self, bytes: usize) -> Self {
        self.total = bytes;
        self
    }
}

impl Default for DownloadLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The bytes that the concurrent downloads of one call may still read.
struct Budget {
    total: usize,
    left: AtomicUsize,
}

impl Budget {
    /// Takes each chunk of a download from the budget as it arrives.
    fn limit(self: &Arc<Self>, download: Download) -> Result<Download> {
        let length = download.length();
        if length.is_some_and(|length| length > self.left.load(Ordering::Relaxed) as u64) {
            return Err(self.exceeded());
        }
        let (content_type, budget) = (download.content_type().to_owned(), Arc::clone(self));
        let body = download.into_stream().map(move |chunk| {
            let chunk = chunk?;
            let take = |left: usize| left.checked_sub(chunk.len());
            let taken = budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            taken.map(|_| chunk).map_err(|_| budget.exceeded())
        });
        let limited = Download::from_stream(content_type, body.boxed());
        Ok(match length {
            Some(length) => limited.with_length(length),
            None => limited,
        })
    }

    fn exceeded(&self) -> Error {
        let what = format!("the media together exceed {} bytes", self.total);
        Error::new(ErrorKind::TooLarge, what)
    }
}

/// One rendition, read into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadedMedia {
    /// The id of the media.
    pub id: MediaId,
    /// The MIME type of the rendition.
    pub content_type: String,
    /// The bytes of the rendition.
    pub bytes: Bytes,
}
