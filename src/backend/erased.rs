//! The type-erased twin of `MediaBackend`, with the blanket implementations in both directions.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::MediaBackend;
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{
        Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page, SearchOptions,
        SearchPage, Upload,
    },
    owner::{Owner, Scope},
    ownership::{DynOwnership, Ownership, OwnershipQuestion, OwnershipStatus},
};

/// [`MediaBackend`] with boxed futures. Implemented for every `MediaBackend`; do not implement it by hand.
pub(crate) trait DynMediaBackend: DynOwnership {
    /// See [`MediaBackend::upload`].
    fn dyn_upload<'a>(&'a self, owner: &'a Owner, upload: Upload) -> BoxFuture<'a, Result<Media>>;
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
        options: &'a SearchOptions,
    ) -> BoxFuture<'a, Result<SearchPage>>;
    /// See [`MediaBackend::stats`].
    fn dyn_stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>>;
    /// See [`MediaBackend::delete`].
    fn dyn_delete<'a>(&'a self, owner: &'a Owner, id: &'a MediaId) -> BoxFuture<'a, Result<bool>>;
    /// See [`MediaBackend::delete_from_scope`].
    fn dyn_delete_from_scope<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<bool>>;
    /// See [`MediaBackend::find_by_hash`].
    fn dyn_find_by_hash(&self, hash: ContentHash) -> BoxFuture<'_, Result<Option<Media>>>;
    /// See [`MediaBackend::delete_any_owner`].
    fn dyn_delete_any_owner<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<bool>>;
    /// See [`MediaBackend::check_health`].
    fn dyn_check_health(&self) -> BoxFuture<'_, Result<()>>;
    /// See [`MediaBackend::urls`].
    fn dyn_urls(&self, id: &MediaId) -> MediaUrls;
}

impl<T: MediaBackend> DynMediaBackend for T {
    fn dyn_upload<'a>(&'a self, owner: &'a Owner, upload: Upload) -> BoxFuture<'a, Result<Media>> {
        Box::pin(self.upload(owner, upload))
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
        options: &'a SearchOptions,
    ) -> BoxFuture<'a, Result<SearchPage>> {
        Box::pin(self.search(owner, options))
    }

    fn dyn_stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>> {
        Box::pin(self.stats(owner))
    }

    fn dyn_delete<'a>(&'a self, owner: &'a Owner, id: &'a MediaId) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.delete(owner, id))
    }

    fn dyn_delete_from_scope<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.delete_from_scope(owner, id, scope))
    }

    fn dyn_find_by_hash(&self, hash: ContentHash) -> BoxFuture<'_, Result<Option<Media>>> {
        Box::pin(self.find_by_hash(hash))
    }

    fn dyn_delete_any_owner<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.delete_any_owner(id))
    }

    fn dyn_check_health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.check_health())
    }

    fn dyn_urls(&self, id: &MediaId) -> MediaUrls {
        self.urls(id)
    }
}

/// A backend without its type. Cheap to clone, and a [`MediaBackend`] itself.
#[derive(Debug, Clone)]
pub(crate) struct SharedBackend(Arc<dyn DynMediaBackend>);

impl SharedBackend {
    /// Erases the type of a backend.
    pub(crate) fn new(backend: impl MediaBackend) -> Self {
        Self(Arc::new(backend))
    }

    /// Returns the backend as an ownership.
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
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        self.0.dyn_upload(owner, upload).await
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

    async fn search(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        self.0.dyn_search(owner, options).await
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.0.dyn_stats(owner).await
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.0.dyn_delete(owner, id).await
    }

    async fn delete_from_scope(&self, owner: &Owner, id: &MediaId, scope: &Scope) -> Result<bool> {
        self.0.dyn_delete_from_scope(owner, id, scope).await
    }

    async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        self.0.dyn_find_by_hash(hash).await
    }

    async fn delete_any_owner(&self, id: &MediaId) -> Result<bool> {
        self.0.dyn_delete_any_owner(id).await
    }

    async fn check_health(&self) -> Result<()> {
        self.0.dyn_check_health().await
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.0.dyn_urls(id)
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::{backend::InMemory, testkit::conformance};

    #[tokio::test]
    async fn erased_backend_conforms() {
        conformance::run(&SharedBackend::new(InMemory::new())).await;
    }
}
