//! The catalog in one SQLite file.

mod columns;
mod contents;
mod fault;
mod listing;
mod open;
mod ownership;
#[cfg(test)]
mod plans;
mod readers;
mod removal;
mod renditions;
mod search;
mod uploads;
mod writer;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;

use self::{readers::Readers, writer::Writer};
use super::{
    Catalog, Content, ContentLock, Entry, Listing, Matches, RenditionRow, Row, locks::Locks,
};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    list::{ListAll, ListOptions, MediaStats},
    media::{MediaStatus, Metadata},
    owner::Owner,
    ownership::{OwnershipQuestion, OwnershipStatus},
};

/// How long a locked database is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// How many of an owner's media one step of erasing takes.
const ERASE: usize = 500;

/// A [`Catalog`] in one SQLite file with a write-ahead log.
///
/// One process at a time may have it open: contents are locked within the process only.
#[derive(Debug)]
pub(crate) struct SqliteCatalog {
    options: SqliteConnectOptions,
    readers: Readers,
    writer: Writer,
    locks: Locks,
}

impl SqliteCatalog {
    /// Opens the catalog in this file, made or brought up to date if need be. Must be called within
    /// the runtime that it is to be used in, as its writing task runs there.
    ///
    /// # Errors
    ///
    /// - [`Unsupported`](crate::ErrorKind::Unsupported) if a newer version of this crate wrote it.
    /// - [`InvalidInput`](crate::ErrorKind::InvalidInput) if it is some other program's database.
    /// - Those of [`Catalog`].
    pub(crate) async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(Self::options(path.as_ref(), BUSY)).await
    }

    pub(super) fn options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
        open::options(path, busy_timeout)
    }

    pub(super) async fn open_with(options: SqliteConnectOptions) -> Result<Self> {
        open::prepare(&options).await?;
        Ok(Self {
            readers: Readers::new(options.clone()),
            writer: Writer::spawn(options.clone()),
            locks: Locks::default(),
            options,
        })
    }
}

impl Catalog for SqliteCatalog {
    fn lock(&self, hash: ContentHash) -> BoxFuture<'_, Result<ContentLock>> {
        Box::pin(async move { Ok(self.locks.lock(hash).await) })
    }

    fn intend(&self, hash: ContentHash) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.writer.run(uploads::Intend(hash)))
    }

    fn insert(&self, entry: Entry, quota: Option<u64>) -> BoxFuture<'_, Result<Row>> {
        let (id, at) = (MediaId::random(), SystemTime::now());
        Box::pin(self.writer.run(uploads::Insert { entry, quota, id, at }))
    }

    fn get<'a>(&'a self, id: &'a MediaId) -> BoxFuture<'a, Result<Option<Row>>> {
        Box::pin(listing::get(&self.readers, id))
    }

    fn owned<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<MediaId>>> {
        Box::pin(ownership::owned(&self.readers, question))
    }

    fn explain<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnershipStatus>>> {
        Box::pin(ownership::explain(&self.readers, question))
    }

    fn list<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListOptions,
    ) -> BoxFuture<'a, Result<Listing>> {
        Box::pin(listing::list(&self.readers, owner, options))
    }

    fn search<'a>(
        &'a self,
        owner: &'a Owner,
        options: &'a ListAll,
    ) -> BoxFuture<'a, Result<Matches>> {
        Box::pin(search::search(&self.readers, owner, options))
    }

    fn any_of(&self, hash: ContentHash) -> BoxFuture<'_, Result<Option<Row>>> {
        Box::pin(listing::any_of(&self.readers, hash))
    }

    fn stats<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<MediaStats>> {
        Box::pin(listing::stats(&self.readers, owner))
    }

    fn remove<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a MediaId,
    ) -> BoxFuture<'a, Result<Option<Row>>> {
        Box::pin(self.writer.run(removal::Remove { owner: owner.clone(), id: id.clone() }))
    }

    fn erase_owner<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Result<Vec<MediaId>>> {
        Box::pin(async move {
            let mut ids = Vec::new();
            loop {
                let step = removal::Erase { owner: owner.clone(), limit: ERASE };
                let mut erased = self.writer.run(step).await?;
                ids.append(&mut erased.ids);
                if !erased.more {
                    return Ok(ids);
                }
            }
        })
    }

    fn set_status<'a>(
        &'a self,
        id: &'a MediaId,
        status: MediaStatus,
        metadata: Option<Metadata>,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.writer.run(uploads::SetStatus { id: id.clone(), status, metadata }))
    }

    fn processing(&self, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>> {
        Box::pin(listing::processing(&self.readers, limit))
    }

    fn orphans(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<ContentHash>>> {
        Box::pin(contents::orphans(&self.readers, before, limit))
    }

    fn is_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>> {
        Box::pin(contents::is_orphan(&self.readers, hash))
    }

    fn forget_orphan(&self, hash: ContentHash) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.writer.run(contents::ForgetOrphan(hash)))
    }

    fn known<'a>(&'a self, hashes: &'a [ContentHash]) -> BoxFuture<'a, Result<Vec<ContentHash>>> {
        Box::pin(contents::known(&self.readers, hashes))
    }

    fn contents(
        &self,
        after: Option<ContentHash>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Content>>> {
        Box::pin(contents::contents(&self.readers, after, limit))
    }

    fn rendition<'a>(
        &'a self,
        id: &'a MediaId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<RenditionRow>>> {
        Box::pin(renditions::find(&self.readers, id, key))
    }

    fn keep_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: RenditionRow,
    ) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.writer.run(renditions::Keep { id: id.clone(), rendition }))
    }

    fn touch_rendition<'a>(
        &'a self,
        id: &'a MediaId,
        rendition: &'a RenditionRow,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if !renditions::is_stale(rendition) {
                return Ok(());
            }
            let key = rendition.key.clone();
            self.writer.run(renditions::Touch { id: id.clone(), key }).await
        })
    }

    fn rendition_bytes(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(renditions::bytes(&self.readers))
    }

    fn least_recently_used(
        &self,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MediaId, RenditionRow)>>> {
        Box::pin(renditions::least_recently_used(&self.readers, limit))
    }

    fn forget_renditions<'a>(
        &'a self,
        id: &'a MediaId,
        key: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        let key = key.map(str::to_owned);
        Box::pin(self.writer.run(renditions::Forget { id: id.clone(), key }))
    }

    fn removed(&self, before: SystemTime, limit: usize) -> BoxFuture<'_, Result<Vec<MediaId>>> {
        Box::pin(renditions::removed(&self.readers, before, limit))
    }

    fn check(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(open::check(&self.options))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.writer.close().await?;
            self.readers.close().await
        })
    }
}
