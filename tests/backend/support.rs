//! Owners, uploads, and a backend that records its calls.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tower_media::{
    InMemory, Media, MediaId, MediaState, Owner, Ownership, OwnershipQuestion, Result, Scopes,
    UnverifiedId, Upload,
    backend::{MediaBackend, OwnershipStatus},
    media::{Download, DownloadOptions, ListOptions, MediaStats, MediaStatus, MediaUrls, Page},
};

pub fn owner(subject: &str) -> Owner {
    Owner::new(subject).unwrap()
}

pub fn scopes<const N: usize>(names: [&str; N]) -> Scopes {
    Scopes::of(names).unwrap()
}

/// Returns an id of a client.
pub fn unverified(id: impl AsRef<str>) -> UnverifiedId {
    UnverifiedId::parse(id).unwrap()
}

/// Uploads `count` different texts and returns their ids in the order of the uploads.
pub async fn upload_texts(media: &MediaState, owner: &Owner, count: usize) -> Vec<MediaId> {
    let mut ids = Vec::new();
    for n in 0..count {
        let upload = Upload::new(format!("text {n}")).scope("me");
        ids.push(media.upload(owner, upload).await.unwrap().id);
    }
    ids
}

/// An in-memory backend that counts its calls and its concurrent downloads, and returns the statuses that
/// the test sets.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    backend: InMemory,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    gets: AtomicUsize,
    downloads: AtomicUsize,
    under_way: AtomicUsize,
    max_concurrent: AtomicUsize,
    statuses: Mutex<VecDeque<MediaStatus>>,
}

impl Watched {
    /// Sets the statuses that the next calls of `get` return. The last one is repeated.
    pub fn set_statuses(&self, statuses: impl IntoIterator<Item = MediaStatus>) {
        *self.seen.statuses.lock().unwrap() = statuses.into_iter().collect();
    }

    pub fn gets(&self) -> usize {
        self.seen.gets.load(Ordering::SeqCst)
    }

    pub fn downloads(&self) -> usize {
        self.seen.downloads.load(Ordering::SeqCst)
    }

    pub fn max_concurrent(&self) -> usize {
        self.seen.max_concurrent.load(Ordering::SeqCst)
    }
}

impl Ownership for Watched {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.backend.owned(question).await
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        self.backend.explain(question).await
    }
}

impl MediaBackend for Watched {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        self.backend.upload(owner, upload).await
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        self.seen.gets.fetch_add(1, Ordering::SeqCst);
        let mut media = self.backend.get(id).await?;
        let mut statuses = self.seen.statuses.lock().unwrap();
        if let Some(status) = statuses.front() {
            media.status = *status;
        }
        if statuses.len() > 1 {
            statuses.pop_front();
        }
        Ok(media)
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let number = self.seen.downloads.fetch_add(1, Ordering::SeqCst);
        let under_way = self.seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.seen.max_concurrent.fetch_max(under_way, Ordering::SeqCst);
        // Every second download takes longer, so they end in another order.
        for _ in 0..(number % 2) * 10 + 1 {
            tokio::task::yield_now().await;
        }
        self.seen.under_way.fetch_sub(1, Ordering::SeqCst);
        self.backend.download(id, options).await
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.backend.list(owner, options).await
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.backend.stats(owner).await
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.backend.delete(owner, id).await
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.backend.urls(id)
    }
}
