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

/// Stores media and answers ownership queries.
///
/// Extension methods are in [`MediaBackendExt`](super::MediaBackendExt). The conformance suite
/// (`tower_media::testkit::conformance`, feature `testkit`) checks an implementation against the sections
/// *Behavior* below.
///
/// A [`MediaId`] is a capability, so `get`, `download` and `urls` do not check the owner again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a media backend",
    note = "implement `Ownership` and `MediaBackend` for it, or use `InMemory`",
    note = "if it only answers ownership queries, use `MediaState::with_ownership_only(it)`"
)]
pub trait MediaBackend: Ownership {
    /// Stores an upload and returns its record.
    ///
    /// # Behavior
    ///
    /// - When it returns, the owner owns the media in the scope: [`Ownership::owned`] and
    ///   [`list`](Self::list) include it immediately.
    /// - Equal bytes of one owner are one record with one id, regardless of their file names. An upload to
    ///   another scope adds the scope to the record.
    /// - Equal bytes of another owner get another id, and neither record reveals the other (promise P15).
    /// - An upload whose stream fails, or whose scope is invalid, is an error and leaves nothing behind.
    fn upload(&self, owner: &Owner, upload: Upload) -> impl Future<Output = Result<Media>> + Send;

    /// Returns the record.
    ///
    /// # Behavior
    ///
    /// An unknown or deleted id is [`ErrorKind::NotFound`].
    fn get(&self, id: &MediaId) -> impl Future<Output = Result<Media>> + Send;

    /// Returns the bytes of a rendition, or a range of them, as a stream.
    ///
    /// # Behavior
    ///
    /// - An unknown or deleted id is [`ErrorKind::NotFound`].
    /// - The original has the uploaded bytes and the type of the record.
    /// - A rendition that cannot be made is an error, never the original (promise P5).
    /// - For a range, the stream contains exactly its bytes, and [`Download::part`] returns the range; or
    ///   the stream contains the whole (RFC 9110, section 14.2). A range beyond the end is
    ///   [`ErrorKind::RangeNotSatisfiable`], or the stream contains the whole.
    ///   [`DownloadOptions::part_of`] resolves a range.
    fn download(
        &self,
        id: &MediaId,
        options: &DownloadOptions,
    ) -> impl Future<Output = Result<Download>> + Send;

    /// Lists an owner's media, newest first.
    ///
    /// # Behavior
    ///
    /// - Each record is listed once, regardless of the number of its scopes and uploads.
    /// - The pages that [`Page::next`] leads to list each record that exists from the first page to the last
    ///   exactly once.
    /// - An unknown page token is [`ErrorKind::InvalidInput`].
    fn list(
        &self,
        owner: &Owner,
        options: &ListOptions,
    ) -> impl Future<Output = Result<Page>> + Send;

    /// Lists an owner's processed media, filtered and sorted.
    ///
    /// # Behavior
    ///
    /// - The results are the records of [`list`](Self::list) that pass the filters, each once.
    /// - [`SearchPage::total`] counts the records of all pages.
    /// - Records that compare equal are sorted by upload time, newest first, or last if ascending, so pages do
    ///   not overlap while the owner's media does not change.
    ///
    /// # Default
    ///
    /// Reads all records of [`list`](Self::list) for these scopes, and sorts them in memory. A backend with many
    /// records per owner should implement it.
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
    /// The result is the sum over [`list`](Self::list) for all scopes.
    fn stats(&self, owner: &Owner) -> impl Future<Output = Result<MediaStats>> + Send;

    /// Deletes media of an owner from all of its scopes.
    ///
    /// # Behavior
    ///
    /// - Returns whether the owner owned the media; `false` for an id of another owner.
    /// - When it returns, the id is unknown.
    /// - Other owners' records are unchanged, also those of the same bytes.
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
        async {
            Err(Error::new(
                ErrorKind::Unsupported,
                "this backend cannot find media by its content hash",
            ))
        }
    }

    /// Deletes media, regardless of owner.
    ///
    /// For operators, never for a user's request.
    ///
    /// # Behavior
    ///
    /// The effect is that of [`delete`](Self::delete) by the owner: other records of the same bytes are unchanged.
    ///
    /// # Default
    ///
    /// [`ErrorKind::Unsupported`].
    fn delete_any_owner(&self, id: &MediaId) -> impl Future<Output = Result<bool>> + Send {
        let _ = id;
        let what = "this backend deletes media only for its owner";
        async move { Err(Error::new(ErrorKind::Unsupported, what)) }
    }

    /// Checks that everything the backend depends on answers, such as its database and its object store. Cheap
    /// enough for one call per second.
    ///
    /// # Default
    ///
    /// `Ok(())`.
    fn check_health(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Returns the URLs of media, without a check that it exists.
    fn urls(&self, id: &MediaId) -> MediaUrls;
}
