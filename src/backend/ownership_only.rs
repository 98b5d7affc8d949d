//! A backend without storage, for applications that only check ownership.

use super::MediaBackend;
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page, Upload},
    owner::Owner,
    ownership::{Ownership, OwnershipQuestion, OwnershipStatus},
};

/// An ownership as a backend without storage. See
/// [`MediaState::with_ownership_only`](crate::MediaState::with_ownership_only).
#[derive(Debug)]
pub(crate) struct OwnershipOnly<O>(pub(crate) O);

fn unsupported<T>() -> Result<T> {
    let what = "this `MediaState` only checks ownership and stores no media";
    Err(Error::new(ErrorKind::Unsupported, what))
}

#[deny(clippy::missing_trait_methods)]
impl<O: Ownership> Ownership for OwnershipOnly<O> {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.owned(question).await
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        self.0.explain(question).await
    }
}

impl<O: Ownership> MediaBackend for OwnershipOnly<O> {
    async fn upload(&self, _: &Owner, _: Upload) -> Result<Media> {
        unsupported()
    }

    async fn get(&self, _: &MediaId) -> Result<Media> {
        unsupported()
    }

    async fn download(&self, _: &MediaId, _: &DownloadOptions) -> Result<Download> {
        unsupported()
    }

    async fn list(&self, _: &Owner, _: &ListOptions) -> Result<Page> {
        unsupported()
    }

    async fn stats(&self, _: &Owner) -> Result<MediaStats> {
        unsupported()
    }

    async fn delete(&self, _: &Owner, _: &MediaId) -> Result<bool> {
        unsupported()
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        MediaUrls::new(format!("/media/{id}/file"))
    }
}
