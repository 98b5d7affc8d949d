//! Renditions: made once, shared by those who ask at the same time, kept, and bounded on disk.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt as _;

use super::{
    blobs::{Found, content_key, renditions_key},
    inner::Inner,
    spool::{Content, not_written},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    image::{ImageSource, Rendered},
    media::{Download, DownloadOptions, MediaStatus, Rendition, Transform, Variant},
    store::db::{RenditionRow, Row},
};

/// How many renditions are dropped at once when there are too many bytes of them.
const EVICTED_AT_ONCE: usize = 64;

/// Where one rendition is.
fn key_of(id: &MediaId, key: &str) -> Path {
    renditions_key(id).join(key)
}

impl Inner {
    /// Delivers a rendition that is none of the original.
    pub(super) async fn rendition(
        self: &Arc<Self>,
        row: Row,
        asked: Transform,
        options: &DownloadOptions,
    ) -> Result<Download> {
        if row.status == MediaStatus::Failed {
            return Err(unprocessable());
        }
        let asked = fitted(&row, asked);
        let key = asked.key();
        if let Some(kept) = self.kept(&row.id, &key, options).await? {
            return Ok(kept);
        }
        let wanted = wanted_with(&row, asked);
        let made = self.make(&row, &wanted).await?;
        let mut made = wanted.iter().zip(made.iter());
        let (_, rendered) = made.find(|(wanted, _)| **wanted == asked).ok_or_else(unprocessable)?;
        let whole = Download::from_bytes(rendered.mime_type, rendered.bytes.clone());
        Ok(whole.with_hash(ContentHash::of(&rendered.bytes)))
    }

    /// What was made before.
    async fn kept(
        &self,
        id: &MediaId,
        key: &str,
        options: &DownloadOptions,
    ) -> Result<Option<Download>> {
        let Some(kept) = self.db.rendition(id, key).await? else { return Ok(None) };
        let part = options.part_of(kept.size)?;
        let found = self.blobs.open(&key_of(id, key), part.map(|part| part.range())).await?;
        // A file that is gone or cut, by whatever happened to the disk, is made anew.
        let Some(Found { pieces, .. }) = found.filter(|found| found.size == kept.size) else {
            return Ok(None);
        };
        self.db.touch_rendition(id, &kept).await?;
        let download = Download::from_stream(kept.mime_type, pieces).with_hash(kept.hash);
        Ok(Some(match part {
            Some(part) => download.with_part(part),
            None => download.with_length(kept.size).accepting_ranges(),
        }))
    }

    /// Makes renditions of one picture from one decoding, and keeps them.
    pub(super) async fn make(
        self: &Arc<Self>,
        row: &Row,
        wanted: &[Transform],
    ) -> Result<Arc<[Rendered]>> {
        let name: Vec<_> = wanted.iter().map(Transform::key).collect();
        let (store, row, wanted) = (self.clone(), row.clone(), wanted.to_vec());
        self.renditions
            .run((row.id.clone(), name.join("+")), &self.tasks, || async move {
                let made = store.render(&row, &wanted).await;
                if made.as_ref().is_err_and(|error| error.kind() == ErrorKind::Failed) {
                    store.db.set_status(&row.id, MediaStatus::Failed, row.metadata).await?;
                }
                made
            })
            .await
    }

    async fn render(&self, row: &Row, wanted: &[Transform]) -> Result<Arc<[Rendered]>> {
        let (source, _file) = self.source(row).await?;
        let renditions: Vec<_> = wanted.iter().copied().map(Rendition::from).collect();
        let made = self.images.render(source, &renditions).await?;
        for (wanted, rendered) in wanted.iter().zip(&made) {
            self.keep_rendition(&row.id, &wanted.key(), rendered).await?;
        }
        self.evict().await?;
        Ok(made.into())
    }

    async fn keep_rendition(&self, id: &MediaId, key: &str, rendered: &Rendered) -> Result<()> {
        self.blobs.place(&key_of(id, key), Content::Memory(rendered.bytes.clone())).await?;
        let row = RenditionRow {
            key: key.to_owned(),
            size: rendered.bytes.len() as u64,
            hash: ContentHash::of(&rendered.bytes),
            mime_type: rendered.mime_type.to_owned(),
            width: rendered.width,
            height: rendered.height,
            used_at: SystemTime::now(),
        };
        // Whoever removed the media meanwhile does not find this file any more.
        if !self.db.keep_rendition(id, row).await? {
            self.blobs.delete(&key_of(id, key)).await?;
        }
        Ok(())
    }

    /// Deletes the renditions of media that were removed.
    pub(super) async fn drop_renditions(&self, id: &MediaId) -> Result<()> {
        self.blobs.delete_all(&renditions_key(id)).await?;
        self.db.forget_renditions(id, None).await
    }

    /// Drops what was not asked for the longest time, until there is room again.
    async fn evict(&self) -> Result<()> {
        while self.db.rendition_bytes().await? > self.settings.max_rendition_bytes {
            let oldest = self.db.least_recently_used(EVICTED_AT_ONCE).await?;
            if oldest.is_empty() {
                return Ok(());
            }
            for (id, RenditionRow { key, .. }) in oldest {
                // In this order: a row without a file is made anew, a file without a row only found by
                // `verify`.
                self.blobs.delete(&key_of(&id, &key)).await?;
                self.db.forget_renditions(&id, Some(&key)).await?;
            }
        }
        Ok(())
    }

    /// The original as a file, and what keeps the file there.
    async fn source(&self, row: &Row) -> Result<(ImageSource, Option<TempPath>)> {
        let key = content_key(row.hash);
        let mut found = self.blobs.open(&key, None).await?.ok_or_else(|| lost(row))?;
        if let Some(path) = self.blobs.file(&key)? {
            return Ok((ImageSource::File(path), None));
        }
        let file = NamedTempFile::new_in(self.folder.incoming()).map_err(not_written)?;
        let (file, path) = file.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        while let Some(piece) = found.pieces.try_next().await? {
            file.write_all(&piece).await.map_err(not_written)?;
        }
        file.flush().await.map_err(not_written)?;
        Ok((ImageSource::File(PathBuf::from(&*path)), Some(path)))
    }
}

/// What a transform comes to for this picture: all that come to the same are one file (promise P12).
fn fitted(row: &Row, asked: Transform) -> Transform {
    row.metadata.as_ref().map_or(asked, |picture| asked.fitted_to((picture.width, picture.height)))
}

/// All variants of this picture.
pub(super) fn variants(row: &Row) -> [Transform; 3] {
    Variant::ALL.map(|variant| fitted(row, variant.transform()))
}

/// Who asks for one variant will ask for the others, and they are made from one decoding.
fn wanted_with(row: &Row, asked: Transform) -> Vec<Transform> {
    let variants = variants(row);
    if variants.contains(&asked) { variants.to_vec() } else { vec![asked] }
}

pub(super) fn lost(row: &Row) -> Error {
    tracing::error!(media = %row.id, "the bytes of media are gone from the store");
    Error::new(ErrorKind::NotFound, "the bytes of the media are gone")
}

fn unprocessable() -> Error {
    Error::new(ErrorKind::Failed, "the media could not be processed")
}
