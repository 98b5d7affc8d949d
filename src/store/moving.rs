//! Copies all media to another store: another folder, database or bucket (promise M6).

use futures_util::{StreamExt as _, stream};

use super::{
    backend::Store,
    blobs::{blob_key, damaged},
    db::{Imported, MediaRow, TransferRow},
    ingest::ATTEMPTS,
    inner::Inner,
    spool::Spool,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::UploadBody,
    util::byte_stream::verify_hash,
};

/// Number of records per database query.
const BATCH: usize = 256;

/// Number of media that are copied at once.
const CONCURRENCY: usize = 4;

/// Progress and result of [`Store::copy_to`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// Number of media that were copied, or would be.
    pub copied: u64,
    /// Number of bytes of their originals. Bytes that several owners have are counted for each, and sent once.
    pub bytes: u64,
    /// Number of media that the target had already.
    pub present: u64,
    /// Media that are not copied, because their bytes do not match their hash.
    pub damaged: Vec<MediaId>,
    /// Media that are not copied, because their bytes are missing.
    pub missing: Vec<MediaId>,
    /// Media that are not copied, because the target has other media with this id, or has these bytes of the
    /// same owner under another id.
    pub conflicts: Vec<MediaId>,
}

impl CopyReport {
    /// Returns whether the target has all media.
    pub fn is_complete(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty() && self.conflicts.is_empty()
    }

    fn add(&mut self, id: MediaId, size: u64, outcome: Outcome) {
        match outcome {
            Outcome::Copied => {
                self.copied += 1;
                self.bytes += size;
            }
            Outcome::Present => self.present += 1,
            Outcome::Damaged => self.damaged.push(id),
            Outcome::Missing => self.missing.push(id),
            Outcome::Conflict => self.conflicts.push(id),
        }
    }
}

/// Result of copying one media item.
enum Outcome {
    Copied,
    Present,
    Damaged,
    Missing,
    Conflict,
}

impl Store {
    /// Copies all media to another store, with ids, owners, names, dates, statuses and scopes, so that their
    /// quotas count the same. `progress` is called after each media item.
    ///
    /// # Behavior
    ///
    /// - Originals are hashed while they are read. One that does not match its hash is reported and left out.
    /// - Each media item is copied completely or not at all. After an error or a crash, call it again: media
    ///   that the target has are not sent again.
    /// - The target may have other media. Limits of size and quotas of the target do not apply.
    /// - Renditions are not copied, but made again on request.
    /// - Nothing is deleted. An upload to the source meanwhile may be left out, and a deletion is not followed:
    ///   stop the processes that use the source, or call it again and once more after they are stopped.
    ///
    /// # Errors
    ///
    /// Those of the databases and of the blobs of both stores.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_media::{MediaState, Owner, Rendition, Store, Upload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tower_media::Result<()> {
    /// # let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    /// let old = Store::open(from.path()).await?;
    /// let ana = Owner::new("ana")?;
    /// let note = MediaState::new(old.clone()).upload(&ana, Upload::new("hello").scope("notes")).await?;
    ///
    /// let new = Store::open(to.path()).await?;
    /// assert_eq!(old.plan_copy_to(&new).await?.copied, 1);
    /// let report = old.copy_to(&new, |progress| println!("{} media", progress.copied)).await?;
    /// assert!(report.is_complete() && new.verify().await?.is_sound());
    ///
    /// let media = MediaState::new(new);
    /// assert_eq!(media.get(&note.id).await?, note);
    /// # Ok(()) }
    /// ```
    pub async fn copy_to(
        &self,
        target: &Store,
        mut progress: impl FnMut(&CopyReport) + Send,
    ) -> Result<CopyReport> {
        let mut report = CopyReport::default();
        let mut after = None;
        loop {
            let rows = self.inner.db.export(after.as_ref(), BATCH).await?;
            after = rows.last().map(|row| row.media.id.clone());
            let is_last = rows.len() < BATCH;
            let mut copied = stream::iter(rows)
                .map(|row| async {
                    let (id, size) = (row.media.id.clone(), row.media.size);
                    Ok::<_, Error>((id, size, copy(&self.inner, &target.inner, row).await?))
                })
                .buffer_unordered(CONCURRENCY);
            while let Some(copied) = copied.next().await {
                let (id, size, outcome) = copied?;
                report.add(id, size, outcome);
                progress(&report);
            }
            if is_last {
                return Ok(report);
            }
        }
    }

    /// Returns what [`copy_to`](Self::copy_to) would copy. Changes nothing, and reads no bytes, so that it does
    /// not find damaged ones.
    ///
    /// # Errors
    ///
    /// As [`copy_to`](Self::copy_to).
    pub async fn plan_copy_to(&self, target: &Store) -> Result<CopyReport> {
        let mut report = CopyReport::default();
        let mut after = None;
        loop {
            let rows = self.inner.db.export(after.as_ref(), BATCH).await?;
            after = rows.last().map(|row| row.media.id.clone());
            let is_last = rows.len() < BATCH;
            for TransferRow { media, .. } in rows {
                let outcome = match target.inner.db.get(&media.id).await? {
                    Some(there) if is_same(&media, &there) => Outcome::Present,
                    Some(_) => Outcome::Conflict,
                    None if self.inner.blobs.size(&blob_key(media.blob())).await?.is_none() => {
                        Outcome::Missing
                    }
                    None => Outcome::Copied,
                };
                report.add(media.id, media.size, outcome);
            }
            if is_last {
                return Ok(report);
            }
        }
    }
}

fn is_same(media: &MediaRow, there: &MediaRow) -> bool {
    (&there.owner, there.hash) == (&media.owner, media.hash)
}

/// Copies the bytes of one media item, unless the target has them, and then its record.
async fn copy(source: &Inner, target: &Inner, row: TransferRow) -> Result<Outcome> {
    let media = &row.media;
    match target.db.get(&media.id).await? {
        // Its bytes are there, because a record follows its bytes. It may lack a scope.
        Some(there) if is_same(media, &there) => {
            let generation = there.generation;
            return Ok(outcome(target.db.import(row, generation).await?, Outcome::Present));
        }
        Some(_) => return Ok(Outcome::Conflict),
        None => {}
    }
    for _ in 0..ATTEMPTS {
        let blob = target.db.reserve(media.hash, media.size).await?;
        // Another owner's media has the same bytes.
        if !target.db.is_referenced(blob).await? {
            let read = source.blobs.open(&blob_key(media.blob()), None).await?;
            let Some(read) = read else { return Ok(Outcome::Missing) };
            let body = UploadBody::Stream(verify_hash(media.hash, read.chunks, damaged));
            let spooled = match (Spool { inner: target, used: None }).read(body).await {
                Err(error) if error.kind() == ErrorKind::Integrity => return Ok(Outcome::Damaged),
                spooled => spooled?,
            };
            target.blobs.put(&blob_key(blob), &spooled.source).await?;
        }
        let imported = target.db.import(row.clone(), blob.generation).await?;
        if imported != Imported::Expired {
            return Ok(outcome(imported, Outcome::Copied));
        }
    }
    let message = format!(
        "copying the bytes took longer than the grace period in {ATTEMPTS} attempts; set a longer one"
    );
    Err(Error::new(ErrorKind::Unavailable, message))
}

fn outcome(imported: Imported, done: Outcome) -> Outcome {
    if imported == Imported::Conflict { Outcome::Conflict } else { done }
}
