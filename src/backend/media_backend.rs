//! The trait that a backend implements.

use crate::{
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{
        Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page, SearchOptions,
        SearchPage, Upload,
    },
    owner::{Owner, Scope},
    ownership::Ownership,
};

/// Keeps media and answers who owns it.
///
/// The methods are few on purpose; conveniences are in [`MediaBackendExt`](super::MediaBackendExt). An implementation is
/// checked by the conformance suite (`tower_media::testkit::conformance`, feature `testkit`), which runs what
/// stands under *Behavior* here.
///
/// A [`MediaId`] is a permission, so `get`, `download` and `urls` do not ask for the owner again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a media backend",
    note = "implement `Ownership` and `MediaBackend` for it, or use `InMemory`",
    note = "if it only answers who owns what, use `MediaState::with_ownership_only(it)`"
)]
pub trait MediaBackend: Ownership {
    /// Stores an upload and returns its record.
    ///
    /// # Behavior
    ///
    /// - Once this has returned, the owner owns the media in the scope: [`Ownership::owned`] and
    ///   [`list`](Self::list) say so at once.
    /// - The same bytes for the same owner give the same id, whatever their name, and one record.
    ///   In another scope they are owned there as well.
    /// - The same bytes for another owner give another id, and neither answer tells of the other
    ///   (promise P15).
    /// - An upload whose stream fails, or whose scope is invalid, is an error and leaves nothing.
    fn upload(&self, owner: &Owner, upload: Upload) -> impl Future<Output = Result<Media>> + Send;

    /// Returns the record.
    ///
    /// # Behavior
    ///
    /// An id that is unknown or removed is [`ErrorKind::NotFound`].
    fn get(&self, id: &MediaId) -> impl Future<Output = Result<Media>> + Send;

    /// Begins to deliver the bytes of a rendition, or a part of them.
    ///
    /// # Behavior
    ///
    /// - An id that is unknown or removed is [`ErrorKind::NotFound`].
    /// - The original is byte for byte what was uploaded, under the type of the record.
    /// - A rendition that cannot be made is an error, never the original (promise P5).
    /// - Of a range either exactly these bytes come, and [`Download::part`] says so, or the whole
    ///   (RFC 9110, section 14.2). One that has none of the bytes is
    ///   [`ErrorKind::RangeNotSatisfiable`], or the whole comes.
    ///   [`DownloadOptions::part_of`] tells.
    fn download(
        &self,
        id: &MediaId,
        options: &DownloadOptions,
    ) -> impl Future<Output = Result<Download>> + Send;

    /// Lists an owner's media, newest first.
    ///
    /// # Behavior
    ///
    /// - Each is listed once, whatever the number of its scopes and of its uploads.
    /// - Following [`Page::next`] gives every one that was there from the first page to the last
    ///   exactly once.
    /// - A [`Page::next`] that was not given out is
    ///   [`ErrorKind::InvalidInput`].
    fn list(
        &self,
        owner: &Owner,
        options: &ListOptions,
    ) -> impl Future<Output = Result<Page>> + Send;

    /// Lists an owner's media that is ready, filtered and in any order.
    ///
    /// # Behavior
    ///
    /// - What [`list`](Self::list) gives, as far as it passes the filters, each once.
    /// - [`SearchPage::total`] counts all pages.
    /// - What compares equal comes newest first, or last if ascending, so that pages do not overlap
    ///   while nothing comes or goes.
    ///
    /// # Default
    ///
    /// Reads everything that [`list`](Self::list) gives for these scopes, and sorts it in memory. A
    /// backend whose owners have much does better.
    fn search(
        &self,
        owner: &Owner,
        options: &SearchOptions,
    ) -> impl Future<Output = Result<SearchPage>> + Send {
        async move {
            let mut matching = Vec::new();
            let all = ListOptions::new().with_scopes(options.scopes().clone()).with_limit(500);
            let mut asked = all.clone();
            loop {
                let page = self.list(owner, &asked).await?;
                matching.extend(page.items.into_iter().filter(|media| options.matches(media)));
                let Some(next) = page.next else { return Ok(options.page_of(matching)) };
                asked = all.clone().with_after(next);
            }
        }
    }

    /// Counts an owner's media.
    ///
    /// # Behavior
    ///
    /// Agrees with the sum over [`list`](Self::list) without scopes.
    fn stats(&self, owner: &Owner) -> impl Future<Output = Result<MediaStats>> + Send;

    /// Removes media of an owner, from all of its scopes.
    ///
    /// # Behavior
    ///
    /// - Returns whether there was something to remove. An id of another owner is nothing.
    /// - Once this has returned, the owner no longer owns the id, and it is unknown.
    /// - What other owners have is untouched, the same bytes included.
    fn delete(&self, owner: &Owner, id: &MediaId) -> impl Future<Output = Result<bool>> + Send;

    /// Deletes media of an owner from one of its scopes.
    ///
    /// # Behavior
    ///
    /// - Returns whether the owner owned the media in the scope.
    /// - The owner keeps the media in its other scopes. From the last scope it is deleted as by
    ///   [`delete`](Self::delete).
    ///
    /// # Default
    ///
    /// [`ErrorKind::Unsupported`].
    fn delete_from_scope(
        &self,
        owner: &Owner,
        id: &MediaId,
        scope: &Scope,
    ) -> impl Future<Output = Result<bool>> + Send {
        let _ = (owner, id, scope);
        let what = "this backend deletes media from all scopes at once: use `delete`";
        async move { Err(Error::new(ErrorKind::Unsupported, what)) }
    }

    /// Returns one record with this content hash, regardless of owner; stable until that record is
    /// deleted.
    ///
    /// For operators, never for a user's request: the answer reveals media of other owners.
    ///
    /// # Default
    ///
    /// [`ErrorKind::Unsupported`].
    fn find_by_hash(
        &self,
        hash: ContentHash,
    ) -> impl Future<Output = Result<Option<Media>>> + Send {
        let _ = hash;
        async { Err(Error::new(ErrorKind::Unsupported, "media cannot be found by its content")) }
    }

    /// Deletes media, regardless of owner.
    ///
    /// For operators, never for a user's request.
    ///
    /// # Behavior
    ///
    /// As [`delete`](Self::delete) by the owner: other records of the same bytes are untouched.
    ///
    /// # Default
    ///
    /// [`ErrorKind::Unsupported`].
    fn delete_any_owner(&self, id: &MediaId) -> impl Future<Output = Result<bool>> + Send {
        let _ = id;
        let what = "media can only be removed for its owner";
        async move { Err(Error::new(ErrorKind::Unsupported, what)) }
    }

    /// Asks everything that the backend needs to work, such as its database and its store, whether it
    /// answers. Cheap enough to be asked every second.
    ///
    /// # Default
    ///
    /// There is nothing to ask.
    fn check_health(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Builds the URLs of media without asking whether it exists.
    fn urls(&self, id: &MediaId) -> MediaUrls;
}
