//! The handle that an application keeps and its handlers use.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use axum::Extension;
use bytes::Bytes;
use futures_util::{
    Stream,
    future::{Either, select},
};
use tracing::{Instrument as _, field};

use super::inner::{Inner, distinct};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    backend::{DownloadedMedia, InMemory, MediaBackend as _, MediaBackendExt as _, OwnershipOnly},
    error::{Error, Result},
    id::{MediaId, UnverifiedId},
    media::{
        Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page, SearchOptions,
        SearchPage, Upload, pump,
    },
    owner::{InvalidScope, Owner, Scope, Scopes},
    ownership::{Claim, OwnedMedia, Ownership, verify},
};

/// Handle that uploads, downloads, lists and deletes media, builds its URLs, and verifies ownership.
///
/// Cloning is cheap, and clones share one backend. A handler takes it as an argument if
/// [`layer`](Self::layer) is on the router, or as `State<MediaState>` if it is the router's state or a
/// part of it (`FromRef`).
///
/// Every method that acts on media takes a [`MediaId`], which text of a client is not. The
/// [crate docs](crate) show how a handler gets one.
///
/// # Example
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_media::MediaState;
///
/// async fn handler(media: MediaState) -> String {
///     format!("{media:?}")
/// }
///
/// let media = MediaState::in_memory();
/// let app: Router = Router::new().route("/", get(handler)).layer(media.layer());
/// ```
#[derive(Clone)]
pub struct MediaState(pub(super) Arc<Inner>);

impl MediaState {
    /// Creates a state that keeps media in memory until the process ends. See [`InMemory`].
    pub fn in_memory() -> Self {
        Self::new(InMemory::new())
    }

    /// Creates a state over the media service at `url`, with the defaults of
    /// [`RemoteBuilder`](crate::remote::RemoteBuilder). Sends no request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if the URL is not valid for a service.
    #[cfg(feature = "remote")]
    pub fn remote(url: impl Into<String>) -> Result<Self> {
        Ok(Self::new(crate::remote::Remote::new(url)?))
    }

    /// Opens a [`Store`](crate::Store) in a folder of this machine, with the defaults of
    /// [`StoreBuilder`](crate::store::StoreBuilder). Creates the folder if it is missing.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`](crate::Store::open).
    ///
    /// # Example
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tower_media::Result<()> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let folder = folder.path();
    /// let media = tower_media::MediaState::open(folder).await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "store")]
    pub async fn open(folder: impl AsRef<std::path::Path>) -> Result<Self> {
        Ok(Self::new(crate::store::Store::open(folder).await?))
    }

    /// Creates a state that only verifies ownership, for an application that stores its media itself.
    /// Uploads, downloads, lists and deletions fail with [`ErrorKind::Unsupported`].
    ///
    /// # Example
    ///
    /// ```
    /// use tower_media::{MediaId, MediaState, Ownership, OwnershipQuestion, Result};
    ///
    /// #[derive(Debug)]
    /// struct PicturesTable(/* a pool of connections */);
    ///
    /// impl Ownership for PicturesTable {
    ///     async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
    ///         // SELECT id FROM pictures WHERE owner = $1 AND id = ANY($2)
    ///         # let _ = question;
    ///         # Ok(Vec::new())
    ///     }
    /// }
    ///
    /// let media = MediaState::with_ownership_only(PicturesTable());
    /// ```
    pub fn with_ownership_only(ownership: impl Ownership) -> Self {
        Self::new(OwnershipOnly(ownership))
    }

    /// Returns the layer that lets handlers below it take `MediaState` as an argument.
    pub fn layer(&self) -> Extension<Self> {
        Extension(self.clone())
    }

    /// Stores an upload and returns its record.
    ///
    /// # Cancellation safety
    ///
    /// A dropped future leaves either nothing or the whole upload.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for an invalid scope or if the stream failed,
    /// [`ErrorKind::TooLarge`] beyond the backend's limit, and the backend's own.
    pub async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        self.0.backend.upload(owner, upload).await
    }

    /// Stores an upload from a borrowed stream, such as a field of axum's `Multipart`, and returns its
    /// record. The stream replaces the bytes of `upload`.
    ///
    /// ```
    /// use axum::{extract::Multipart, http::StatusCode};
    /// use tower_media::{Media, MediaState, Owner, Upload};
    ///
    /// async fn avatar(media: MediaState, owner: Owner, mut form: Multipart) -> Result<Media, StatusCode> {
    ///     while let Some(field) = form.next_field().await.map_err(|_| StatusCode::BAD_REQUEST)? {
    ///         let Some(name) = field.file_name() else { continue };
    ///         let upload = Upload::default().file_name(name).scope("avatar");
    ///         return media.upload_from(&owner, field, upload).await.map_err(|e| e.kind().status());
    ///     }
    ///     Err(StatusCode::UNPROCESSABLE_ENTITY)
    /// }
    /// # let _: axum::Router<()> = axum::Router::new().route("/", axum::routing::post(avatar));
    /// ```
    ///
    /// # Cancellation safety
    ///
    /// A dropped future leaves either nothing or the whole upload.
    ///
    /// # Errors
    ///
    /// Those of [`upload`](Self::upload).
    pub async fn upload_from<S, E>(&self, owner: &Owner, bytes: S, upload: Upload) -> Result<Media>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let (body, pump) = pump(bytes);
        let store = self.upload(owner, upload.with_body(body));
        let (store, pump) = (pin!(store), pin!(pump));
        match select(store, pump).await {
            Either::Left((stored, _)) => stored,
            Either::Right(((), store)) => store.await,
        }
    }

    /// Returns the record of media.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an unknown id, and the backend's own.
    pub async fn get(&self, id: &MediaId) -> Result<Media> {
        self.0.backend.get(id).await
    }

    /// Returns a stream of the bytes of a rendition, or with [`DownloadOptions`] of a part of them. A
    /// handler can return it as the response.
    ///
    /// ```
    /// use tower_media::{media::DownloadOptions, MediaState, Owner, Rendition, Upload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tower_media::Result<()> {
    /// let media = MediaState::in_memory();
    /// let ana = Owner::new("ana")?;
    /// let id = media.upload(&ana, Upload::new("hello").scope("notes")).await?.id;
    ///
    /// let whole = media.download(&id, Rendition::Original).await?;
    /// assert_eq!(whole.into_bytes(1024).await?, "hello");
    /// let part = DownloadOptions::new(Rendition::Original).with_range(1..=3);
    /// let part = media.download(&id, part).await?;
    /// assert_eq!(part.part().expect("a part").to_string(), "bytes 1-3/5");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] for an unknown id, [`ErrorKind::Unsupported`] for a rendition that the
    /// backend cannot make, [`ErrorKind::RangeNotSatisfiable`] for a range beyond the end, and the
    /// backend's own. The original never replaces a rendition (promise P5).
    pub async fn download(
        &self,
        id: &MediaId,
        options: impl Into<DownloadOptions>,
    ) -> Result<Download> {
        self.0.backend.download(id, &options.into()).await
    }

    /// Reads a rendition of each of `ids` into memory, in the order given.
    ///
    /// At most four downloads run concurrently. Each item may have at most
    /// [`download_limit`](crate::state::MediaStateBuilder::download_limit) bytes, and all together
    /// [`total_download_limit`](crate::state::MediaStateBuilder::total_download_limit) bytes (promise
    /// P17). The first failure cancels the other downloads.
    ///
    /// # Errors
    ///
    /// Those of [`download`](Self::download), and [`ErrorKind::TooLarge`] beyond a limit.
    pub async fn download_all<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a MediaId, IntoIter: Send> + Send,
        options: impl Into<DownloadOptions>,
    ) -> Result<Vec<DownloadedMedia>> {
        self.0.backend.download_all(ids, options.into(), self.0.download_limits).await
    }

    /// Builds the URLs of media, without a check that it exists.
    pub fn urls(&self, id: &MediaId) -> MediaUrls {
        self.0.backend.urls(id)
    }

    /// Lists an owner's media, newest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for an unknown page token, and the backend's own.
    pub async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.0.backend.list(owner, options).await
    }

    /// Lists an owner's processed media, with filters and a sort order.
    ///
    /// ```
    /// use tower_media::{media::{SearchOptions, SortBy}, MediaState, Owner, Upload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tower_media::Result<()> {
    /// let media = MediaState::in_memory();
    /// let ana = Owner::new("ana")?;
    /// for text in ["short", "much longer"] {
    ///     media.upload(&ana, Upload::new(text).scope("notes")).await?;
    /// }
    /// let smallest = SearchOptions::new().with_sort(SortBy::Size, true).with_limit(1);
    /// let page = media.search(&ana, &smallest).await?;
    /// assert_eq!((page.items[0].size, page.total, page.has_more), (5, 2, true));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The backend's own.
    pub async fn search(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        self.0.backend.search(owner, options).await
    }

    /// Returns the number and the total size of an owner's media.
    ///
    /// # Errors
    ///
    /// The backend's own.
    pub async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.0.backend.stats(owner).await
    }

    /// Deletes media of an owner, from all of its scopes, and returns whether there was anything to
    /// delete. Media of another owner is left alone.
    ///
    /// An owner has one record per content: if the same bytes were uploaded as avatar and into the
    /// wardrobe, this deletes both. [`delete_from_scope`](Self::delete_from_scope) deletes one of them.
    ///
    /// # Cancellation safety
    ///
    /// A dropped future leaves the media either unchanged or deleted.
    ///
    /// # Errors
    ///
    /// The backend's own.
    pub async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.0.backend.delete(owner, id).await
    }

    /// Deletes media of an owner from one scope, and returns whether it was in the scope. In other scopes
    /// the owner keeps it; with its last scope the media itself is deleted.
    ///
    /// ```
    /// use tower_media::{MediaState, Owner, Upload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tower_media::Result<()> {
    /// let media = MediaState::in_memory();
    /// let ana = Owner::new("ana")?;
    /// let id = media.upload(&ana, Upload::new("hat").scope("avatar")).await?.id;
    /// media.upload(&ana, Upload::new("hat").scope("wardrobe")).await?;
    ///
    /// assert!(media.delete_from_scope(&ana, &id, "wardrobe").await?);
    /// assert!(media.get(&id).await.is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancellation safety
    ///
    /// A dropped future leaves the media either unchanged or deleted from the scope.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for an invalid scope, [`ErrorKind::Unsupported`] if the backend
    /// deletes from all scopes at once, as `Remote` does, and the backend's own.
    pub async fn delete_from_scope<T>(&self, owner: &Owner, id: &MediaId, scope: T) -> Result<bool>
    where
        T: TryInto<Scope, Error: Into<InvalidScope>>,
    {
        let scope = scope.try_into().map_err(Into::into)?;
        self.0.backend.delete_from_scope(owner, id, &scope).await
    }

    /// Checks that everything the backend depends on answers, such as its database and its object store.
    ///
    /// # Errors
    ///
    /// The backend's own, and [`ErrorKind::Timeout`] after the
    /// [check timeout](crate::state::MediaStateBuilder::check_timeout).
    pub async fn check_health(&self) -> Result<()> {
        let after = self.0.check_timeout;
        tokio::time::timeout(after, self.0.backend.check_health())
            .await
            .unwrap_or_else(|_| Err(Error::timeout("the health check of the media", after)))
    }

    /// Waits until the media is processed and returns its record. Polls at growing intervals, from
    /// 50 ms to 2 s.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Failed`] if processing failed, [`ErrorKind::Timeout`] after the deadline, and those
    /// of [`get`](Self::get).
    pub async fn wait_until_ready(&self, id: &MediaId, deadline: Duration) -> Result<Media> {
        self.0.backend.wait_until_ready(id, deadline).await
    }

    /// Verifies that `owner` owns all of `ids` in at least one of `scopes`: the check of
    /// [`VerifyMediaLayer`](crate::VerifyMediaLayer), for code outside HTTP.
    ///
    /// Repeated ids count once. An empty set of ids is trivially owned, so decide before the call
    /// whether it is allowed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotOwned`] unless every id is owned: [`Error::missing`] names the ids that are
    /// unknown, of another owner, or in another scope. [`ErrorKind::InvalidInput`] for more than 10,000
    /// distinct ids. [`ErrorKind::Unavailable`], [`Timeout`](ErrorKind::Timeout),
    /// [`Unexpected`](ErrorKind::Unexpected) or [`Internal`](ErrorKind::Internal) if the query failed,
    /// which says nothing about the ids.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_media::{ErrorKind, MediaState, Owner, Scopes, UnverifiedId};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tower_media::Result<()> {
    /// let media = MediaState::in_memory();
    /// let ana = Owner::new("ana")?;
    /// let scopes = Scopes::of(["me", "wardrobe"])?;
    ///
    /// let refused = media.verify(&ana, scopes, [UnverifiedId::parse("m-1")?]).await.unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::NotOwned);
    /// assert_eq!(refused.missing().collect::<Vec<_>>(), ["m-1"]);
    /// # Ok(()) }
    /// ```
    pub async fn verify(
        &self,
        owner: &Owner,
        scopes: impl Into<Scopes>,
        ids: impl IntoIterator<Item = UnverifiedId>,
    ) -> Result<OwnedMedia> {
        let (owner, scopes, ids) = (owner.clone(), scopes.into(), distinct(ids)?);
        self.verify_claim(&Arc::new(Claim { owner, scopes, ids }), false).await
    }

    pub(crate) async fn verify_claim(
        &self,
        claim: &Arc<Claim>,
        bypass_cache: bool,
    ) -> Result<OwnedMedia> {
        let ids = claim.ids.len();
        let span = tracing::info_span!("media.check", ids, bypass_cache, failed = field::Empty);
        let check = verify(&*self.0.ownership, claim, bypass_cache, self.0.check_timeout);
        let result = check.instrument(span.clone()).await;
        if let Err(error) = &result {
            span.record("failed", field::debug(error.kind()));
        }
        result
    }

    /// Returns whether the two are clones of one state.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the position of the state in the order of creation, which tells two states apart.
    pub(crate) fn number(&self) -> usize {
        self.0.number
    }

    /// Returns a name for logs, without secrets and paths: the number, and the type of the backend.
    pub(crate) fn name(&self) -> String {
        let Inner { number, backend_type, .. } = &*self.0;
        // `a::Faulty<b::InMemory>` becomes `Faulty<InMemory>`.
        let types = backend_type.split_inclusive(['<', '>', ',', ' ']);
        let types: String =
            types.map(|part| part.rsplit("::").next().unwrap_or_default()).collect();
        format!("`MediaState` {number} (over `{types}`)")
    }

    #[cfg(feature = "routes")]
    pub(crate) fn url_signer(&self) -> Option<&crate::routes::signed_url::UrlSigner> {
        self.0.url_signer.as_ref()
    }

    #[cfg(feature = "testkit")]
    pub(crate) fn guards(&self) -> &crate::testkit::guard_registry::Registry {
        &self.0.guards
    }
}

impl fmt::Debug for MediaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaState")
            .field("backend", &self.0.backend)
            .field("ownership", &self.0.ownership)
            .finish_non_exhaustive()
    }
}
