//! No storage at all: for applications that only want to know who owns what.

use super::MediaBackend;
use crate::{
    download::{Download, DownloadOptions},
    error::{Error, ErrorKind, Result},
    id::MediaId,
    list::{ListOptions, MediaStats, Page},
    media::{Media, MediaUrls},
    owner::Owner,
    ownership::{Ownership, OwnershipQuestion, OwnershipStatus},
    upload::Upload,
};

/// An ownership as a backend that stores nothing. See [`MediaState::only`](crate::MediaState::only).
#[derive(Debug)]
pub(crate) struct Unstored<O>(pub(crate) O);

fn unsupported<T>() -> Result<T> {
    let what = "this `MediaState` only checks ownership and stores no media";
    Err(Error::new(ErrorKind::Unsupported, what))
}

#[deny(clippy::missing_trait_methods)]
impl<O: Ownership> Ownership for Unstored<O> {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.owned(question).await
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        self.0.explain(question).await
    }
}

impl<O: Ownership> MediaBackend for Unstored<O> {
    async fn upload(&self, _: Upload) -> Result<Media> {
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

    async fn remove(&self, _: &Owner, _: &MediaId) -> Result<bool> {
        unsupported()
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        MediaUrls::new(format!("/media/{id}/file"))
    }
}
