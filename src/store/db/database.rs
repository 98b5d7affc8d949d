//! Trait of a database engine: one supertrait for each subject, so that an engine implements each beside its SQL.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;

use super::{
    BlobId, BlobRow, Generation, Imported, Listing, Matches, MediaRow, NewMedia, RenditionRow,
    TransferRow,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{FailureReason, ListOptions, MediaStats, MediaStatus, SearchOptions},
    owner::{Owner, Scope},
    ownership::{OwnershipQuestion, OwnershipStatus},
};

/// The rows of a store, shared by any number of processes.
///
/// # Bytes and rows
///
/// Each content hash has at most one *content* row: its current [`Generation`], its number of references by
/// media rows, and the time since which it is unreferenced. No lock is held while bytes move. An upload takes
/// three steps:
///
/// 1. [`reserve`](UploadQueries::reserve) records the content, or renews the lease of the row that exists.
/// 2. The bytes are placed under the key of the [`BlobId`] that was reserved. Existing bytes are replaced by
///    equal ones.
/// 3. [`insert`](UploadQueries::insert) commits the media row if the content still has that generation.
///    Otherwise garbage collection has claimed it, and the upload starts again.
///
/// Garbage collection takes three steps as well:
///
/// 1. [`claim_unreferenced`](BlobQueries::claim_unreferenced) removes content rows without references whose
///    lease has expired, and records their blobs as dead. A dead generation is never referenced again.
/// 2. The objects of [`dead_blobs`](BlobQueries::dead_blobs) are deleted, also those that a stopped
///    collector has claimed. A delete that arrives late hits an object that nothing refers to.
/// 3. [`forget_dead`](BlobQueries::forget_dead) removes their records.
///
/// An engine must count references in the content row itself, because `NOT EXISTS` over another table is not
/// evaluated again after waiting for a row lock. Every transaction locks the owner before contents, and
/// several contents in the order of their hashes. Leases are measured by the clock of the database.
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
    + TransferQueries
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// Verifies the whole database: pages, references, contents and totals. Slow; blocks no other call.
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
    /// Reserves a content of `size` bytes, and returns the blob under whose key its bytes are to be placed.
    ///
    /// Records an unknown content under a new generation and without references. For a known one it renews
    /// the lease: from now on garbage collection leaves the content alone for the grace period. Committed
    /// when this returns, and durable together with the next durable write.
    fn reserve(&self, hash: ContentHash, size: u64) -> BoxFuture<'_, Result<BlobId>>;

    /// Inserts media of an owner in a scope, whose bytes are stored under this generation. Durable when this
    /// returns.
    ///
    /// Returns `None`, and inserts nothing, if the content no longer has this generation, because its lease
    /// has expired and it was claimed. The blob is recorded as dead then, because its bytes may have been
    /// placed after it was deleted.
    ///
    /// Content that the owner already has keeps its id, file name and date and is added to the scope; only
    /// a [`MediaStatus::Failed`] row takes status, failure reason, metadata, EXIF and type of the new upload.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if the owner would exceed `quota` bytes; nothing is
    /// changed then. Exact, because concurrent inserts of one owner exclude each other (promise M3).
    fn insert(
        &self,
        media: NewMedia,
        generation: Generation,
        quota: Option<u64>,
    ) -> BoxFuture<'_, Result<Option<MediaRow>>>;

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
    /// The content loses a reference; if it was the last one, its grace period begins. Renditions are left
    /// to [`removed`](RenditionQueries::removed).
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

/// Garbage collection and verification of blobs.
pub(crate) trait BlobQueries {
    /// Removes up to `limit` contents that have been unreferenced, and not reserved, for `grace`, oldest
    /// first, and records their blobs as dead. Returns their number. Durable when this returns.
    ///
    /// Concurrent calls claim different contents.
    fn claim_unreferenced(&self, grace: Duration, limit: usize) -> BoxFuture<'_, Result<usize>>;

    /// Returns up to `limit` dead blobs that have been unreferenced for `grace`, oldest first.
    ///
    /// Concurrent calls may return the same blobs; to delete an object twice is harmless.
    fn dead_blobs(&self, grace: Duration, limit: usize) -> BoxFuture<'_, Result<Vec<BlobId>>>;

    /// Removes the records of dead blobs whose objects are deleted.
    fn forget_dead<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<()>>;

    /// Records those of the stored `blobs` as dead that are unknown, from now on. Returns their number.
    ///
    /// A blob is known if it is the current generation of a content, or dead. Because a content is recorded
    /// before its bytes are placed, no unknown blob is ever referenced.
    fn record_strays<'a>(&'a self, blobs: &'a [BlobId]) -> BoxFuture<'a, Result<u64>>;

    /// Returns whether media rows refer to this blob.
    fn is_referenced(&self, blob: BlobId) -> BoxFuture<'_, Result<bool>>;

    /// Returns up to `limit` referenced blobs whose hash is greater than `after`, ordered by hash.
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
    ///
    /// An engine with concurrent writers must not keep this in one row, for which all renditions of all
    /// owners would queue.
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

/// Moving records to another database.
pub(crate) trait TransferQueries {
    /// Returns up to `limit` media whose ids are greater than `after`, ordered by id, with their scopes.
    fn export<'a>(
        &'a self,
        after: Option<&'a MediaId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<TransferRow>>>;

    /// Inserts media of another database, whose bytes are stored under this generation. Durable when this
    /// returns.
    ///
    /// Id, owner, scopes, date, status and, unless another media item of the owner has it, the arrival stay
    /// the same. No quota applies. Media that exists gets the scopes that it lacks, and the generation
    /// does not matter.
    fn import(&self, media: TransferRow, generation: Generation)
    -> BoxFuture<'_, Result<Imported>>;
}
