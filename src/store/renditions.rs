//! Renditions: made once by single-flight, cached, and evicted least recently used first.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;

use super::{
    blobs::{
        BlobRead, BlobSource, blob_key, new_temp_file, not_written, rendition_key,
        renditions_prefix,
    },
    db::{MediaRow, RenditionRow},
    inner::Inner,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    image::{ImageSource, Rendered},
    media::{
        Download, DownloadOptions, FailureReason, MediaStatus, MediaUrls, Rendition, Transform,
        Variant,
    },
};

/// Number of renditions that are evicted per database query.
const EVICTION_BATCH: usize = 64;

impl Inner {
    /// Delivers a transform of the original, from the cache or after rendering it.
    pub(super) async fn rendition(
        self: &Arc<Self>,
        row: MediaRow,
        transform: Transform,
        options: &DownloadOptions,
    ) -> Result<Download> {
        if row.status == MediaStatus::Failed
            && row.failure_reason.is_none_or(FailureReason::is_final)
        {
            return Err(unprocessable(row.failure_reason));
        }
        let transform = normalize(&row, transform);
        let key = transform.key();
        if let Some(cached) = self.cached(&row.id, &key, options).await? {
            return Ok(cached);
        }
        let wanted = with_variants(&row, transform);
        let rendered = self.render(&row, &wanted).await?;
        let mut rendered = wanted.iter().zip(rendered.iter());
        let (_, rendered) = rendered
            .find(|(wanted, _)| **wanted == transform)
            .ok_or_else(|| unprocessable(None))?;
        let download = Download::from_bytes(rendered.mime_type, rendered.bytes.clone());
        Ok(download.with_hash(ContentHash::of(&rendered.bytes)))
    }

    async fn cached(
        &self,
        id: &MediaId,
        key: &str,
        options: &DownloadOptions,
    ) -> Result<Option<Download>> {
        let Some(row) = self.db.rendition(id, key).await? else { return Ok(None) };
        let redirect =
            Download::from_bytes(row.mime_type.as_str(), Bytes::new()).with_hash(row.hash);
        if let Some(redirect) = self.redirect(&rendition_key(id, key), redirect, options).await? {
            self.db.touch_rendition(id, &row).await?;
            return Ok(Some(redirect));
        }
        let part = options.part_of(row.size)?;
        let range = part.map(|part| part.range());
        let blob = self.blobs.open(&rendition_key(id, key), range).await?;
        // A missing or truncated file counts as a cache miss.
        let Some(BlobRead { chunks, .. }) = blob.filter(|blob| blob.size == row.size) else {
            return Ok(None);
        };
        self.db.touch_rendition(id, &row).await?;
        let download = Download::from_stream(row.mime_type, chunks).with_hash(row.hash);
        Ok(Some(match part {
            Some(part) => download.with_part(part),
            None => download.with_length(row.size).accepting_ranges(),
        }))
    }

    /// Renders transforms of one image from one decode, and caches them.
    pub(super) async fn render(
        self: &Arc<Self>,
        row: &MediaRow,
        wanted: &[Transform],
    ) -> Result<Arc<[Rendered]>> {
        let keys: Vec<_> = wanted.iter().map(Transform::key).collect();
        let (inner, row, wanted) = (self.clone(), row.clone(), wanted.to_vec());
        self.renditions
            .run((row.id.clone(), keys.join("+")), &self.tasks, || async move {
                let rendered = inner.render_now(&row, &wanted).await;
                match &rendered {
                    Ok(_) if row.status == MediaStatus::Failed => {
                        inner.db.set_status(&row.id, MediaStatus::Ready, None).await?;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        if let Some(reason) = error.failure_reason() {
                            inner.db.set_status(&row.id, MediaStatus::Failed, Some(reason)).await?;
                        }
                    }
                }
                rendered
            })
            .await
    }

    async fn render_now(&self, row: &MediaRow, wanted: &[Transform]) -> Result<Arc<[Rendered]>> {
        let (source, _file) = self.source(row).await?;
        let renditions: Vec<_> = wanted.iter().copied().map(Rendition::from).collect();
        let rendered = self.images.render(&row.owner, source, &renditions).await?;
        if let Err(error) = self.cache_all(row, wanted, &rendered).await {
            // Rendering has succeeded, so the caller gets the result (promise R10).
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a rendition is delivered but cannot be cached"
            );
        }
        Ok(rendered.into())
    }

    async fn cache_all(
        &self,
        row: &MediaRow,
        wanted: &[Transform],
        rendered: &[Rendered],
    ) -> Result<()> {
        for (wanted, rendered) in wanted.iter().zip(rendered) {
            self.cache(&row.id, &wanted.key(), rendered).await?;
        }
        self.evict(self.settings.max_rendition_bytes).await
    }

    async fn cache(&self, id: &MediaId, key: &str, rendered: &Rendered) -> Result<()> {
        let source = BlobSource::Memory(rendered.bytes.clone());
        self.blobs.put(&rendition_key(id, key), &source).await?;
        let row = RenditionRow {
            key: key.to_owned(),
            size: rendered.bytes.len() as u64,
            hash: ContentHash::of(&rendered.bytes),
            mime_type: rendered.mime_type.to_owned(),
            width: rendered.width,
            height: rendered.height,
            used_at: SystemTime::now(),
        };
        // A concurrent deletion of the media has not seen this file.
        if !self.db.keep_rendition(id, row).await? {
            self.blobs.delete(&rendition_key(id, key)).await?;
        }
        Ok(())
    }

    /// Deletes the renditions of deleted media.
    pub(super) async fn drop_renditions(&self, id: &MediaId) -> Result<()> {
        self.blobs.delete_all(&renditions_prefix(id)).await?;
        self.db.forget_renditions(id, None).await
    }

    /// Deletes the least recently used renditions, at least `bytes` of them or all. Returns whether any was
    /// deleted.
    pub(super) async fn free(&self, bytes: u64) -> Result<bool> {
        let cached = self.db.rendition_bytes().await?;
        self.evict(cached.saturating_sub(bytes)).await?;
        Ok(cached > 0)
    }

    /// Deletes the least recently used renditions until the rest are at most `max_bytes`.
    async fn evict(&self, max_bytes: u64) -> Result<()> {
        while self.db.rendition_bytes().await? > max_bytes {
            let oldest = self.db.least_recently_used(EVICTION_BATCH).await?;
            if oldest.is_empty() {
                return Ok(());
            }
            // Files first: a record without a file is a cache miss, but only `verify` finds a file without a
            // record. All of them, because on a full disk the records cannot be changed before.
            for (id, RenditionRow { key, .. }) in &oldest {
                self.blobs.delete(&rendition_key(id, key)).await?;
            }
            for (id, RenditionRow { key, .. }) in &oldest {
                self.db.forget_renditions(id, Some(key)).await?;
            }
        }
        Ok(())
    }

    /// The original as a local file, and the guard of a temporary copy.
    async fn source(&self, row: &MediaRow) -> Result<(ImageSource, Option<TempPath>)> {
        let key = blob_key(row.blob());
        let mut blob = self.blobs.open(&key, None).await?.ok_or_else(|| missing_blob(row))?;
        if let Some(path) = self.blobs.local_path(&key)? {
            return Ok((ImageSource::File(path), None));
        }
        let file = new_temp_file(&self.folder.incoming()).map_err(not_written)?;
        let (file, path) = file.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        while let Some(chunk) = blob.chunks.try_next().await? {
            file.write_all(&chunk).await.map_err(not_written)?;
        }
        file.flush().await.map_err(not_written)?;
        Ok((ImageSource::File(PathBuf::from(&*path)), Some(path)))
    }
}

/// Normalizes a transform for this image, so equivalent transforms share one cached file (promise P12).
fn normalize(row: &MediaRow, transform: Transform) -> Transform {
    let size = row.metadata.as_ref().map(|image| (image.width, image.height));
    size.map_or(transform, |size| transform.fitted_to(size))
}

/// The variants of this image that its URLs name.
pub(super) fn variants(row: &MediaRow) -> Vec<Transform> {
    let urls = MediaUrls::all("", &row.id).that_exist(row.metadata.as_ref());
    let is_named = |variant: &Variant| match variant {
        Variant::Thumbnail => urls.thumbnail.is_some(),
        Variant::Medium => urls.medium.is_some(),
        Variant::Large => urls.large.is_some(),
    };
    let named = Variant::ALL.into_iter().filter(is_named);
    named.map(|variant| normalize(row, variant.transform())).collect()
}

/// A request for one variant renders all of them, because the others usually follow and decoding dominates.
fn with_variants(row: &MediaRow, transform: Transform) -> Vec<Transform> {
    let variants = variants(row);
    if variants.contains(&transform) { variants } else { vec![transform] }
}

pub(super) fn missing_blob(row: &MediaRow) -> Error {
    tracing::error!(media = %row.id, "the bytes of a media item are missing from the store");
    Error::new(ErrorKind::NotFound, "the bytes of the media are missing")
}

fn unprocessable(reason: Option<FailureReason>) -> Error {
    let what = "the media could not be processed";
    reason.map_or_else(|| Error::new(ErrorKind::Failed, what), |reason| Error::failed(reason, what))
}
