//! What keeps a store in order: sweeping, forgetting a person, and looking for damage.

use std::{future::ready, sync::Arc, time::SystemTime};

use futures_util::TryStreamExt as _;

use super::{
    blobs::{all_renditions_key, content_key, content_of, contents_key, damaged, rendition_of},
    inner::Inner,
};
use crate::{
    error::{ErrorKind, Result},
    id::{ContentHash, MediaId},
    owner::Owner,
    util::byte_stream::verify_hash,
};

/// How many contents are looked up at once.
const BATCH: usize = 256;

/// What a sweep deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// Contents that nobody referred to.
    pub contents: u64,
}

/// What [`Store::verify`](super::Store::verify) found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// How many contents were read and hashed.
    pub checked: u64,
    /// Contents that media refer to, whose bytes are not those that were uploaded.
    pub damaged: Vec<ContentHash>,
    /// Contents that media refer to, whose bytes are gone.
    pub missing: Vec<ContentHash>,
    /// Files that nothing refers to: left to the sweep, or deleted if they were renditions.
    pub strays: u64,
}

impl Verification {
    /// Returns whether every content was found whole.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty()
    }
}

impl Inner {
    pub(super) async fn sweep(&self) -> Result<GcReport> {
        let now = SystemTime::now();
        // What was removed has no renditions any more, unless deleting them failed.
        loop {
            let removed = self.db.removed(now, BATCH).await?;
            for id in &removed {
                self.drop_renditions(id).await?;
            }
            if removed.len() < BATCH {
                break;
            }
        }
        let before = now.checked_sub(self.settings.grace).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut swept = GcReport::default();
        loop {
            let orphans = self.db.orphans(before, BATCH).await?;
            for &hash in &orphans {
                let _alone = self.db.lock(hash).await?;
                // Somebody may have uploaded it since.
                if self.db.is_orphan(hash).await? {
                    // In this order: a row without a file is swept again, a file without a row is not
                    // found.
                    self.blobs.delete(&content_key(hash)).await?;
                    swept.contents += 1;
                }
                self.db.forget_orphan(hash).await?;
            }
            if orphans.len() < BATCH {
                return Ok(swept);
            }
        }
    }

    /// Deletes the renditions of media that are gone, whether or not this works: the sweep does what is
    /// left.
    pub(super) async fn drop_removed(&self, id: &MediaId) {
        if let Err(error) = self.drop_renditions(id).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "renditions are left to the sweep"
            );
        }
    }

    pub(super) async fn erase_owner(&self, owner: &Owner) -> Result<u64> {
        let erased = self.db.erase_owner(owner).await?;
        for id in &erased {
            self.drop_removed(id).await;
        }
        Ok(erased.len() as u64)
    }

    pub(super) async fn verify(self: &Arc<Self>) -> Result<Verification> {
        self.db.check().await?;
        let mut found = Verification::default();
        let mut after = None;
        loop {
            let contents = self.db.referenced_blobs(after, BATCH).await?;
            for content in &contents {
                self.check(content.hash, &mut found).await?;
            }
            match contents.last() {
                Some(last) if contents.len() == BATCH => after = Some(last.hash),
                _ => break,
            }
        }
        self.find_stray_contents(&mut found).await?;
        self.find_stray_renditions(&mut found).await?;
        Ok(found)
    }

    async fn check(&self, hash: ContentHash, found: &mut Verification) -> Result<()> {
        let Some(blob) = self.blobs.open(&content_key(hash), None).await? else {
            // It may have been removed and swept since its row was read.
            if !self.db.is_orphan(hash).await? && !self.db.existing(&[hash]).await?.is_empty() {
                found.missing.push(hash);
            }
            return Ok(());
        };
        found.checked += 1;
        match verify_hash(hash, blob.pieces, damaged).try_for_each(|_| ready(Ok(()))).await {
            Err(error) if error.kind() == ErrorKind::Integrity => found.damaged.push(hash),
            read => read?,
        }
        Ok(())
    }

    async fn find_stray_contents(&self, found: &mut Verification) -> Result<()> {
        let mut files = self.blobs.list(&contents_key()).try_chunks(BATCH);
        while let Some(files) = files.try_next().await.map_err(|stopped| stopped.1)? {
            let hashes: Vec<_> =
                files.iter().filter_map(|file| content_of(&file.location)).collect();
            let known = self.db.existing(&hashes).await?;
            for hash in hashes.into_iter().filter(|hash| !known.contains(hash)) {
                found.strays += 1;
                self.db.mark_pending(hash).await?;
            }
        }
        Ok(())
    }

    async fn find_stray_renditions(&self, found: &mut Verification) -> Result<()> {
        let mut files = self.blobs.list(&all_renditions_key());
        while let Some(file) = files.try_next().await? {
            let Some((id, key)) = rendition_of(&file.location) else { continue };
            if self.db.rendition(&id, &key).await?.is_none() {
                found.strays += 1;
                self.blobs.delete(&file.location).await?;
            }
        }
        Ok(())
    }
}
