//! Garbage collection, erasure of an owner, and verification.

use std::{future::ready, sync::Arc, time::SystemTime};

use futures_util::TryStreamExt as _;

use super::{
    blobs::{
        all_blobs_prefix, all_renditions_prefix, blob_key, damaged, parse_blob_key,
        parse_rendition_key,
    },
    db::BlobId,
    inner::Inner,
};
use crate::{
    error::{ErrorKind, Result},
    id::{ContentHash, MediaId},
    owner::Owner,
    util::byte_stream::verify_hash,
};

/// Number of rows or files per database query.
const BATCH: usize = 256;

/// Result of [`Store::collect_garbage`](super::Store::collect_garbage).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// Number of deleted blobs.
    pub blobs: u64,
}

/// Result of [`Store::verify`](super::Store::verify).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Number of blobs that were read and hashed.
    pub checked: u64,
    /// Referenced blobs whose bytes do not match their hash.
    pub damaged: Vec<ContentHash>,
    /// Referenced blobs whose file is missing.
    pub missing: Vec<ContentHash>,
    /// Number of unreferenced files: blobs are left to garbage collection, renditions are deleted.
    pub strays: u64,
}

impl Verification {
    /// Returns whether no referenced blob is damaged or missing.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty()
    }
}

impl Inner {
    pub(super) async fn collect_garbage(&self) -> Result<GcReport> {
        let now = SystemTime::now();
        // Deletion drops renditions at once; these are the ones for which that failed.
        loop {
            let removed = self.db.removed(now, BATCH).await?;
            for id in &removed {
                self.drop_renditions(id).await?;
            }
            if removed.len() < BATCH {
                break;
            }
        }
        let grace = self.settings.grace;
        let mut report = GcReport::default();
        loop {
            let claimed = self.db.claim_unreferenced(grace, BATCH).await?;
            let dead = self.db.dead_blobs(grace, BATCH).await?;
            let (deleted, failed) = self.delete_blobs(&dead).await;
            // In this order: a record without a file is collected again, but only `verify` finds a file
            // without a record.
            self.db.forget_dead(&dead[..deleted]).await?;
            failed?;
            report.blobs += deleted as u64;
            if claimed < BATCH && dead.len() < BATCH {
                return Ok(report);
            }
        }
    }

    /// Deletes blobs up to the first failure, and returns their number.
    async fn delete_blobs(&self, blobs: &[BlobId]) -> (usize, Result<()>) {
        for (deleted, &blob) in blobs.iter().enumerate() {
            if let Err(error) = self.blobs.delete(&blob_key(blob)).await {
                return (deleted, Err(error));
            }
        }
        (blobs.len(), Ok(()))
    }

    /// Drops the renditions of deleted media, or leaves them to garbage collection if that fails.
    pub(super) async fn try_drop_renditions(&self, id: &MediaId) {
        if let Err(error) = self.drop_renditions(id).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "renditions of deleted media are left to garbage collection"
            );
        }
    }

    pub(super) async fn erase_owner(&self, owner: &Owner) -> Result<u64> {
        let erased = self.db.erase_owner(owner).await?;
        for id in &erased {
            self.try_drop_renditions(id).await;
        }
        Ok(erased.len() as u64)
    }

    pub(super) async fn verify(self: &Arc<Self>) -> Result<Verification> {
        self.db.check().await?;
        let mut report = Verification::default();
        let mut after = None;
        loop {
            let blobs = self.db.referenced_blobs(after, BATCH).await?;
            for blob in &blobs {
                self.verify_blob(blob.id, &mut report).await?;
            }
            match blobs.last() {
                Some(last) if blobs.len() == BATCH => after = Some(last.id.hash),
                _ => break,
            }
        }
        self.find_stray_blobs(&mut report).await?;
        self.find_stray_renditions(&mut report).await?;
        Ok(report)
    }

    async fn verify_blob(&self, id: BlobId, report: &mut Verification) -> Result<()> {
        let Some(blob) = self.blobs.open(&blob_key(id), None).await? else {
            // It may have been deleted and collected since its row was read.
            if self.db.is_referenced(id).await? {
                report.missing.push(id.hash);
            }
            return Ok(());
        };
        report.checked += 1;
        match verify_hash(id.hash, blob.chunks, damaged).try_for_each(|_| ready(Ok(()))).await {
            Err(error) if error.kind() == ErrorKind::Integrity => report.damaged.push(id.hash),
            read => read?,
        }
        Ok(())
    }

    async fn find_stray_blobs(&self, report: &mut Verification) -> Result<()> {
        let mut files = self.blobs.list(&all_blobs_prefix()).try_chunks(BATCH);
        while let Some(files) = files.try_next().await.map_err(|stopped| stopped.1)? {
            let blobs: Vec<_> =
                files.iter().filter_map(|file| parse_blob_key(&file.location)).collect();
            report.strays += self.db.record_strays(&blobs).await?;
        }
        Ok(())
    }

    async fn find_stray_renditions(&self, report: &mut Verification) -> Result<()> {
        let mut files = self.blobs.list(&all_renditions_prefix());
        while let Some(file) = files.try_next().await? {
            let Some((id, key)) = parse_rendition_key(&file.location) else { continue };
            if self.db.rendition(&id, &key).await?.is_none() {
                report.strays += 1;
                self.blobs.delete(&file.location).await?;
            }
        }
        Ok(())
    }
}
