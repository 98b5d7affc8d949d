//! Trait of a database engine: one supertrait for each subject, so that an engine implements each beside its SQL.

use std::{fmt, time::SystemTime};

use futures_util::future::BoxFuture;

use super::{BlobRow, ContentLock, Listing, Matches, MediaRow, NewMedia, RenditionRow};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{FailureReason, ListOptions, MediaStats, MediaStatus, SearchOptions},
    owner::{Owner, Scope},
    ownership::{OwnershipQuestion, OwnershipStatus},
};

/// The rows of a store.
///
/// # Cancellation safety
///
/// A write whose future is dropped is applied completely or not at all.
///
/// # Errors
///
/// All methods: [`Unavailable`](crate::ErrorKind::Unavailable) while the database is locked, full, or
/// unreachable, [`Timeout`](crate::ErrorKind::Timeout) for a query past its deadline, and
/// [`Integrity`](crate::ErrorKind::Integrity) if the database is damaged. A failed write changes nothing,
/// and once the fault has ended the next call works.
pub(crate) trait Database:
    OwnershipQueries
    + UploadQueries
    + ListQueries
    + DeleteQueries
    + BlobQueries
    + RenditionQueries
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// Locks a content hash until the guard is dropped.
    fn lock(&self, hash: ContentHash) -> BoxFuture<'_, Result<ContentLock>>;

    /// Verifies the whole database: pages, references and totals. Slow; blocks no other call.
    ///
    /// # Errors
    ///
    /// [`Integrity`](crate::ErrorKind::Integrity) for an inconsistency; the source names it.
    fn check(&self) -> BoxFuture<'_, Result<()>>;

    /// Applies the writes that were submitted before and closes the database. Later calls are
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}

/// The ownership query.
pub(crate) trait OwnershipQueries {
    /// See [`Ownership::owned`](crate::Ownership::owned).
    fn owned<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<MediaId>>>;

    /// See [`Ownership::explain`](crate::Ownership::explain).
    fn explain<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnershipStatus>>>;
}

/// Writes of an upload and of its processing.
pub(crate) trait UploadQueries {
    /// Records that a blob is about to be written, so that garbage collection finds it if no media row
    /// follows. Durable together with the next durable write.
    fn mark_pending(&self, hash: ContentHash) -> BoxFuture<'_, Result<()>>;

    /// Inserts media of an owner in a scope. Durable when this returns.
    ///
    /// Content that the owner already has keeps its id, file name and date and is added to the scope; only
    /// a [`MediaStatus::Failed`] row takes status, failure reason, metadata, EXIF and type of the new upload.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if the owner would exceed `quota` bytes; nothing is
    /// changed then.
    fn insert(&self, media: NewMedia, quota: Option<u64>) -> BoxFuture<'_, Result<MediaRow>>;

    /// Sets the processing status and the reason of a failure. Returns whether the row exists.
    fn set_status<'a>(
        &'a self,
        id: &'a MediaId,
        status: MediaStatus,
        failure_reason: Option<FailureReason>,
    ) -> BoxFuture<'a, Result<bool>>;

    /// Returns up to `limit` ids that are [`MediaStatus::Processing`], oldest first.
    fn processing(&self, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>>;
}

/// Single rows, lists, searches and totals.
pub(crate) trait ListQueries {
    /// Returns one media row.
    fn get<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<Option<MediaRow>>>;

    /// Returns one row with this content hash, regardless of owner; stable until that row is deleted.
    fn find_by_hash(&self, hash: ContentHash) -> BoxFuture<'_, Result<Option<MediaRow>>>;

    /// Lists an owner's media, newest first.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an unknown page token.
    fn list<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListOptions,
    ) -> BoxFuture<'a, Result<Listing>>;

    /// See [`MediaBackend::search`](crate::backend::MediaBackend::search).
    fn search<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a SearchOptions,
    ) -> BoxFuture<'a, Result<Matches>>;

    /// Returns the number of an owner's media and of their bytes.
    fn stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>>;
}

/// Deletion of media rows.
pub(crate) trait DeleteQueries {
    /// Deletes an owner's media row and returns it. Durable when this returns.
    ///
    /// A blob that no other row refers to becomes an orphan; renditions are left to
    /// [`removed`](RenditionQueries::removed).
    fn delete<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
    ) -> BoxFuture<'a, Result<Option<MediaRow>>>;

    /// Removes media from one scope of an owner, and deletes the row together with its last scope. Returns
    /// whether the media was in the scope, and whether the row is deleted. Durable when this returns.
    fn delete_from_scope<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<(bool, bool)>>;

    /// Deletes an owner with all media, and returns the ids. Durable when this returns.
    ///
    /// # Cancellation safety
    ///
    /// A large library is deleted in batches. If the future is dropped in between, the remaining media are
    /// intact.
    fn erase_owner<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<Vec<MediaId>>>;
}

/// Which blobs are referenced, and which are orphans.
pub(crate) trait BlobQueries {
    /// Returns up to `limit` blobs that have been unreferenced since `before` or earlier, oldest first.
    fn orphans(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<ContentHash>>>;

    /// Returns whether no media row refers to this blob. Holds only while it is [locked](Database::lock).
    fn is_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>>;

    /// Removes the orphan record of a deleted or referenced blob. Returns whether the blob is unreferenced.
    fn forget_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>>;

    /// Returns those of `hashes` that are referenced by media or recorded as orphans.
    fn existing<'a>(&'a self, hashes: &'a [ContentHash])
    -> BoxFuture<'a, Result<Vec<ContentHash>>>;

    /// Returns up to `limit` referenced blobs after `after`, ordered by hash.
    fn referenced_blobs(
        &self,
        after: Option<ContentHash>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<BlobRow>>>;
}

/// Stored renditions and their last use.
pub(crate) trait RenditionQueries {
    /// Returns a stored rendition of existing media.
    fn rendition<'a>(
        &'a self,
        id: &'a MediaId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<RenditionRow>>>;

    /// Records a stored rendition, replacing one with the same key. Returns whether the media exists;
    /// otherwise nothing is recorded.
    fn keep_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: RenditionRow,
    ) -> BoxFuture<'a, Result<bool>>;

    /// Records a use of a rendition, at most once an hour.
    fn touch_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: &'a RenditionRow,
    ) -> BoxFuture<'a, Result<()>>;

    /// Returns the size of all stored renditions, in bytes.
    fn rendition_bytes(&self) -> BoxFuture<'_, Result<u64>>;

    /// Returns up to `limit` renditions, least recently used first.
    fn least_recently_used(
        &self,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MediaId, RenditionRow)>>>;

    /// Removes the record of one rendition, or of all renditions if `key` is `None`; with the last one also
    /// the record that the media was [removed](Self::removed).
    fn forget_renditions<'a>(
        &'a self,
        id: &'a MediaId,
        key: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Returns up to `limit` ids of media that were deleted by `before` and still have rendition records,
    /// oldest first. See [`forget_renditions`](Self::forget_renditions).
    fn removed(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>>;
}
