//! Fault injection: a backend that fails on command.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    backend::MediaBackend,
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{
        Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page, SearchOptions,
        SearchPage, Upload,
    },
    owner::{Owner, Scope},
    ownership::{Ownership, OwnershipQuestion, OwnershipStatus},
};

/// The fault that [`Faulty`] injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fault {
    /// No fault: calls reach the backend.
    #[default]
    None,
    /// Every call fails with this kind.
    Fail(ErrorKind),
    /// No call ever returns.
    Hang,
    /// Every call panics.
    Panic,
    /// Every call waits for [`Faulty::release`], then reaches the backend.
    Late,
    /// The ownership answer lacks its last id.
    Less,
    /// The ownership answer has an additional id, which was not in the query.
    More,
    /// The ownership answer has as many ids as the query, but other ones.
    Others,
}

/// A backend that passes calls to the wrapped backend, or fails with the fault that was set.
///
/// Cloning is cheap; clones share the fault.
///
/// # Example
///
/// ```
/// use tower_media::{ErrorKind, InMemory, MediaState, Owner, Scopes, UnverifiedId};
/// use tower_media::testkit::{Fault, Faulty};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// let backend = Faulty::new(InMemory::new());
/// let media = MediaState::new(backend.clone());
///
/// backend.set(Fault::Fail(ErrorKind::Unavailable));
/// let asked = [UnverifiedId::parse("m-1")?];
/// let error = media.verify(&Owner::new("ana")?, Scopes::any(), asked).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert_eq!(backend.questions(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Faulty<B> {
    backend: B,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    fault: Mutex<Fault>,
    questions: AtomicUsize,
    release: Notify,
}

impl<B> Faulty<B> {
    /// Wraps a backend, without a fault.
    pub fn new(backend: B) -> Self {
        Self { backend, shared: Arc::default() }
    }

    /// Sets the fault of all later calls.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock() = fault;
    }

    /// Releases one call that waits because of [`Fault::Late`], or the next one if none waits yet.
    pub fn release(&self) {
        self.shared.release.notify_one();
    }

    /// Returns the number of ownership queries.
    pub fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::SeqCst)
    }

    /// Returns the backend.
    pub fn get_ref(&self) -> &B {
        &self.backend
    }

    fn fault(&self) -> Fault {
        *self.shared.fault.lock()
    }

    async fn inject(&self) -> Result<()> {
        match self.fault() {
            Fault::Fail(kind) => Err(Error::new(kind, "injected failure")),
            Fault::Hang => std::future::pending().await,
            Fault::Panic => panic!("injected panic"),
            Fault::Late => {
                self.shared.release.notified().await;
                Ok(())
            }
            Fault::None | Fault::Less | Fault::More | Fault::Others => Ok(()),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<B: Ownership> Ownership for Faulty<B> {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.shared.questions.fetch_add(1, Ordering::SeqCst);
        self.inject().await?;
        let mut owned = self.backend.owned(question).await?;
        match self.fault() {
            Fault::Less => drop(owned.pop()),
            Fault::More => owned.push(MediaId::random()),
            Fault::Others => owned = question.ids().map(|_| MediaId::random()).collect(),
            _ => {}
        }
        Ok(owned)
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        self.inject().await?;
        self.backend.explain(question).await
    }
}

#[deny(clippy::missing_trait_methods)]
impl<B: MediaBackend> MediaBackend for Faulty<B> {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        self.inject().await?;
        self.backend.upload(owner, upload).await
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        self.inject().await?;
        self.backend.get(id).await
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        self.inject().await?;
        self.backend.download(id, options).await
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.inject().await?;
        self.backend.list(owner, options).await
    }

    async fn search(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        self.inject().await?;
        self.backend.search(owner, options).await
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.inject().await?;
        self.backend.stats(owner).await
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.inject().await?;
        self.backend.delete(owner, id).await
    }

    async fn delete_from_scope(&self, owner: &Owner, id: &MediaId, scope: &Scope) -> Result<bool> {
        self.inject().await?;
        self.backend.delete_from_scope(owner, id, scope).await
    }

    async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        self.inject().await?;
        self.backend.find_by_hash(hash).await
    }

    async fn delete_any_owner(&self, id: &MediaId) -> Result<bool> {
        self.inject().await?;
        self.backend.delete_any_owner(id).await
    }

    async fn check_health(&self) -> Result<()> {
        self.inject().await?;
        self.backend.check_health().await
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.backend.urls(id)
    }
}
