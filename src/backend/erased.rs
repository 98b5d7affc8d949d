//! The boxed face of a backend, and the bridge from and to the trait.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::MediaBackend;
use crate::{
    download::{Download, DownloadOptions},
    error::Result,
    id::{ContentHash, MediaId},
    list::{ListAll, ListOptions, ListPage, MediaStats, Page},
    media::{Media, MediaUrls},
    owner::Owner,
    ownership::{DynOwnership, Ownership, OwnershipQuestion, OwnershipStatus},
    upload::Upload,
};

/// [`MediaBackend`] behind a pointer. Implemented for every `MediaBackend`; not to be implemented
/// by hand.
pub trait DynMediaBackend: DynOwnership {
    /// See [`MediaBackend::upload`].
    fn dyn_upload(&self, upload: Upload) -> BoxFuture<'_, Result<Media>>;
    /// See [`MediaBackend::get`].
    fn dyn_get<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<Media>>;
    /// See [`MediaBackend::download`].
    fn dyn_download<'a>(
        &'a self,
        id: &'a MediaId,
        options: &'a DownloadOptions,
    ) -> BoxFuture<'a, Result<Download>>;
    /// See [`MediaBackend::list`].
    fn dyn_list<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListOptions,
    ) -> BoxFuture<'a, Result<Page>>;
    /// See [`MediaBackend::search`].
    fn dyn_search<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListAll,
    ) -> BoxFuture<'a, Result<ListPage>>;
    /// See [`MediaBackend::stats`].
    fn dyn_stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>>;
    /// See [`MediaBackend::remove`].
    fn dyn_remove<'a>(&'a self, owner: &'a Owner, id: &'a MediaId) -> BoxFuture<'a, Result<bool>>;
    /// See [`MediaBackend::find_any_owners_by_hash`].
    fn dyn_find_any_owners_by_hash(
        &self,
        hash: ContentHash,
    ) -> BoxFuture<'_, Result<Option<Media>>>;
    /// See [`MediaBackend::remove_any_owners`].
    fn dyn_remove_any_owners<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<bool>>;
    /// See [`MediaBackend::ready`].
    fn dyn_ready(&self) -> BoxFuture<'_, Result<()>>;
    /// See [`MediaBackend::urls`].
    fn dyn_urls(&self, id: &MediaId) -> MediaUrls;
}

impl<T: MediaBackend> DynMediaBackend for T {
    fn dyn_upload(&self, upload: Upload) -> BoxFuture<'_, Result<Media>> {
        Box::pin(self.upload(upload))
    }

    fn dyn_get<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<Media>> {
        Box::pin(self.get(id))
    }

    fn dyn_download<'a>(
        &'a self,
        id: &'a MediaId,
        options: &'a DownloadOptions,
    ) -> BoxFuture<'a, Result<Download>> {
        Box::pin(self.download(id, options))
    }

    fn dyn_list<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListOptions,
    ) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.list(owner, options))
    }

    fn dyn_search<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListAll,
    ) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(self.search(owner, options))
    }

    fn dyn_stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>> {
        Box::pin(self.stats(owner))
    }

    fn dyn_remove<'a>(&'a self, owner: &'a Owner, id: &'a MediaId) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.remove(owner, id))
    }

    fn dyn_find_any_owners_by_hash(
        &self,
        hash: ContentHash,
    ) -> BoxFuture<'_, Result<Option<Media>>> {
        Box::pin(self.find_any_owners_by_hash(hash))
    }

    fn dyn_remove_any_owners<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.remove_any_owners(id))
    }

    fn dyn_ready(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.ready())
    }

    fn dyn_urls(&self, id: &MediaId) -> MediaUrls {
        self.urls(id)
    }
}

/// Any backend, its type forgotten: cheap to clone, and a [`MediaBackend`] itself.
#[derive(Debug, Clone)]
pub struct SharedBackend(Arc<dyn DynMediaBackend>);

impl SharedBackend {
    /// Forgets the type of a backend.
    pub fn new(backend: impl MediaBackend) -> Self {
        Self(Arc::new(backend))
    }

    /// The same backend, asked for ownership only.
    pub(crate) fn to_ownership(&self) -> Arc<dyn DynOwnership> {
        Arc::clone(&self.0) as _
    }
}

#[deny(clippy::missing_trait_methods)]
impl Ownership for SharedBackend {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.dyn_owned(question).await
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        self.0.dyn_explain(question).await
    }
}

#[deny(clippy::missing_trait_methods)]
impl MediaBackend for SharedBackend {
    async fn upload(&self, upload: Upload) -> Result<Media> {
        self.0.dyn_upload(upload).await
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        self.0.dyn_get(id).await
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        self.0.dyn_download(id, options).await
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.0.dyn_list(owner, options).await
    }

    async fn search(&self, owner: &Owner, options: &ListAll) -> Result<ListPage> {
        self.0.dyn_search(owner, options).await
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.0.dyn_stats(owner).await
    }

    async fn remove(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.0.dyn_remove(owner, id).await
    }

    async fn find_any_owners_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        self.0.dyn_find_any_owners_by_hash(hash).await
    }

    async fn remove_any_owners(&self, id: &MediaId) -> Result<bool> {
        self.0.dyn_remove_any_owners(id).await
    }

    async fn ready(&self) -> Result<()> {
        self.0.dyn_ready().await
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.0.dyn_urls(id)
    }
}
