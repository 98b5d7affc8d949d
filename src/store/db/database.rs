//! The trait that a database engine implements.

use std::{fmt, time::SystemTime};

use futures_util::future::BoxFuture;

use super::{Content, ContentLock, Entry, Listing, Matches, RenditionRow, Row};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats, MediaStatus, Metadata, SearchOptions},
    owner::{Owner, Scope},
    ownership::{OwnershipQuestion, OwnershipStatus},
};

/// The rows of a store.
///
/// # Cancellation safety
///
/// A change whose caller goes away is made whole or not at all.
///
/// # Errors
///
/// All methods: [`Unavailable`](crate::ErrorKind::Unavailable) while the database is locked, full, or
/// cannot be reached, and [`Integrity`](crate::ErrorKind::Integrity) when it is damaged. Nothing is
/// changed then, and once the fault has ended the next call works.
pub(crate) trait Database: fmt::Debug + Send + Sync + 'static {
    /// Waits until nobody else works on this content, and keeps it until the guard is dropped.
    fn lock(&self, hash: ContentHash) -> BoxFuture<'_, Result<ContentLock>>;

    /// Notes that bytes are about to be placed, so that a sweep finds them if no row comes to have
    /// them. Not on the disk before the next durable change is.
    fn mark_pending(&self, hash: ContentHash) -> BoxFuture<'_, Result<()>>;

    /// Gives an owner some content in a scope. On the disk when this returns.
    ///
    /// What the owner has already keeps its id, name and date, and counts in the new scope as well;
    /// only after [`MediaStatus::Failed`] does it become what the entry says.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](crate::ErrorKind::TooLarge) if the owner would have more bytes than `quota`;
    /// nothing is changed then.
    fn insert(&self, entry: Entry, quota: Option<u64>) -> BoxFuture<'_, Result<Row>>;

    /// Returns a row.
    fn get<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<Option<Row>>>;

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

    /// Lists what an owner has, newest first.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a page token that was never given out.
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

    /// Returns a row of this content, whoever has it: the same as long as it is there.
    fn find_by_hash(&self, hash: ContentHash) -> BoxFuture<'_, Result<Option<Row>>>;

    /// Counts what an owner has.
    fn stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>>;

    /// Removes a row of an owner and returns what it was. On the disk when this returns.
    ///
    /// Content that nobody has any more becomes an orphan; renditions are left to
    /// [`removed`](Self::removed).
    fn delete<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
    ) -> BoxFuture<'a, Result<Option<Row>>>;

    /// Removes a row from one scope of an owner, and the row itself with its last scope. Returns whether
    /// the row was in the scope, and whether it is deleted. Durable when this returns.
    fn delete_from_scope<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<(bool, bool)>>;

    /// Removes all that is known of an owner, the owner included, and returns the ids that went. On
    /// the disk when this returns.
    ///
    /// A large library goes in several steps. Called off in between, what is left is there whole.
    fn erase_owner<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<Vec<MediaId>>>;

    /// Notes how far processing has come, and what it found. Returns whether there is such a row.
    fn set_status<'a>(
        &'a self,
        id: &'a MediaId,
        status: MediaStatus,
        metadata: Option<Metadata>,
    ) -> BoxFuture<'a, Result<bool>>;

    /// Returns up to `limit` ids that are [`MediaStatus::Processing`], the oldest first.
    fn processing(&self, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>>;

    /// Returns up to `limit` contents that nobody has had since then or longer, the longest left first.
    fn orphans(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<ContentHash>>>;

    /// Returns whether nobody has this content. Only true for as long as it is [locked](Self::lock).
    fn is_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>>;

    /// Forgets an orphan whose bytes are gone, or that has found an owner. Returns whether nobody has
    /// the content.
    fn forget_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>>;

    /// Returns those of the contents that somebody has or that are orphans.
    fn existing<'a>(&'a self, hashes: &'a [ContentHash])
    -> BoxFuture<'a, Result<Vec<ContentHash>>>;

    /// Returns up to `limit` of the contents that somebody has, in the order of their hashes.
    fn referenced_blobs(
        &self,
        after: Option<ContentHash>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Content>>>;

    /// Returns a stored rendition of media that is there.
    fn rendition<'a>(
        &'a self,
        id: &'a MediaId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<RenditionRow>>>;

    /// Notes a stored rendition, in the place of one with the same key. Returns whether the media is
    /// there; if it is not, nothing is noted.
    fn keep_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: RenditionRow,
    ) -> BoxFuture<'a, Result<bool>>;

    /// Notes that a rendition is in use, unless that was noted within the hour.
    fn touch_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: &'a RenditionRow,
    ) -> BoxFuture<'a, Result<()>>;

    /// Returns how many bytes all renditions take.
    fn rendition_bytes(&self) -> BoxFuture<'_, Result<u64>>;

    /// Returns up to `limit` renditions, those first that have not been used for longest.
    fn least_recently_used(
        &self,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MediaId, RenditionRow)>>>;

    /// Forgets one rendition, or with no key all of them, and that the media was
    /// [removed](Self::removed).
    fn forget_renditions<'a>(
        &'a self,
        id: &'a MediaId,
        key: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Returns up to `limit` ids that were removed by then and whose renditions were not
    /// [forgotten](Self::forget_renditions), the longest gone first.
    fn removed(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>>;

    /// Reads everything and compares it with itself. Takes time, and keeps nobody waiting.
    ///
    /// # Errors
    ///
    /// [`Integrity`](crate::ErrorKind::Integrity) if something does not fit together; the source says
    /// what.
    fn check(&self) -> BoxFuture<'_, Result<()>>;

    /// Finishes what was begun and closes the database. Later calls are
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    fn close(&self) -> BoxFuture<'_, Result<()>>;
}
