//! Conveniences on every backend.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::MediaBackend;
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{DownloadOptions, Media, MediaStatus},
};

/// How many downloads [`MediaBackendExt::download_all`] has under way at once.
const CONCURRENT: usize = 4;

/// The first and the longest interval between two looks of [`MediaBackendExt::wait_until_ready`].
const INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Conveniences on every [`MediaBackend`].
pub trait MediaBackendExt: MediaBackend {
    /// Reads one rendition of each of `ids`, or the same part of each, into memory, in the order
    /// given, up to `limit` bytes each.
    ///
    /// # Behavior
    ///
    /// At most four downloads are under way at once, so memory is bounded by the sum of what is
    /// asked for. The first failure ends it all.
    ///
    /// # Errors
    ///
    /// Those of [`MediaBackend::download`], and
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) beyond the limit.
    fn download_all<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a MediaId, IntoIter: Send> + Send,
        options: DownloadOptions,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DownloadedMedia>>> + Send
    where
        Self: Sized,
    {
        let ids: Vec<MediaId> = ids.into_iter().cloned().collect();
        async move {
            stream::iter(ids)
                .map(|id| async move {
                    let download = self.download(&id, &options).await?;
                    let content_type = download.content_type().to_owned();
                    Ok(DownloadedMedia {
                        bytes: download.into_bytes(limit).await?,
                        id,
                        content_type,
                    })
                })
                .buffered(CONCURRENT)
                .try_collect()
                .await
        }
    }

    /// Waits until the media has been processed and returns its record.
    ///
    /// # Behavior
    ///
    /// Asks at growing intervals, from 50 ms up to 2 s.
    ///
    /// # Cancellation safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`] if processing failed, [`ErrorKind::Timeout`] if it was not over by the
    /// deadline, and those of [`MediaBackend::get`].
    fn wait_until_ready(
        &self,
        id: &MediaId,
        deadline: Duration,
    ) -> impl Future<Output = Result<Media>> + Send
    where
        Self: Sized,
    {
        let wait = async move {
            let mut interval = INTERVALS.0;
            loop {
                let media = self.get(id).await?;
                match media.status {
                    MediaStatus::Ready => return Ok(media),
                    MediaStatus::Failed => {
                        return Err(Error::new(
                            ErrorKind::Failed,
                            "the media could not be processed",
                        ));
                    }
                    MediaStatus::Processing => tokio::time::sleep(interval).await,
                }
                interval = (interval * 2).min(INTERVALS.1);
            }
        };
        async move {
            tokio::time::timeout(deadline, wait)
                .await
                .unwrap_or_else(|_| Err(Error::timeout("the processing of the media", deadline)))
        }
    }
}

impl<T: MediaBackend> MediaBackendExt for T {}

/// One rendition, read into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadedMedia {
    /// Of which media.
    pub id: MediaId,
    /// Its MIME type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}
