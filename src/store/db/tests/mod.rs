//! What every db keeps, asked of the one in SQLite.

mod contents;
mod cost;
mod faults;
mod listing;
mod model;
mod opening;
mod ownership;
mod removal;
mod renditions;
mod search;
mod uploads;

use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::{Database, Entry, Row, SqliteDatabase};
use crate::{
    id::{ContentHash, MediaId},
    media::{Exif, ListOptions, MediaStats, MediaStatus, Metadata},
    owner::{Owner, Scope, Scopes},
    ownership::OwnershipQuestion,
};

/// A db in a folder of its own, which goes with it.
pub(super) struct Lab {
    pub(super) folder: TempDir,
    pub(super) db: SqliteDatabase,
}

impl Lab {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let db = SqliteDatabase::open(folder.path().join("db")).await.expect("a db");
        Self { folder, db }
    }

    pub(super) async fn insert(&self, entry: &Entry) -> Row {
        self.db.insert(entry.clone(), None).await.expect("an insert")
    }

    pub(super) async fn get(&self, id: &MediaId) -> Option<Row> {
        self.db.get(id).await.expect("a look")
    }

    pub(super) async fn list(&self, owner: &Owner, options: ListOptions) -> Vec<Row> {
        let mut options = options;
        let mut rows = Vec::new();
        loop {
            let mut page = self.db.list(owner, &options).await.expect("a page");
            assert!(page.rows.len() <= options.limit());
            rows.append(&mut page.rows);
            assert!(rows.len() < 10_000, "the pages do not end");
            let Some(next) = page.next else { return rows };
            options = options.with_after(next);
        }
    }

    pub(super) async fn stats(&self, owner: &Owner) -> MediaStats {
        self.db.stats(owner).await.expect("a count")
    }

    pub(super) async fn owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
    ) -> Vec<MediaId> {
        self.db.owned(&OwnershipQuestion::new(owner, scopes, ids)).await.expect("an answer")
    }

    pub(super) async fn orphans(&self) -> Vec<ContentHash> {
        self.db.orphans(soon(), 1_000).await.expect("the orphans")
    }
}

/// After all that has been done so far.
pub(super) fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

pub(super) fn owner(subject: &str) -> Owner {
    Owner::new(subject).expect("a subject")
}

pub(super) fn scope(name: &str) -> Scope {
    Scope::new(name).expect("a scope")
}

/// A picture of which everything is known.
pub(super) fn entry(owner: &Owner, content: &str) -> Entry {
    let mut metadata = Metadata::new(320, 240);
    metadata.format = Some("webp".to_owned());
    metadata.has_alpha = true;
    let exif = Exif {
        camera_make: Some("Canon \"5D\"\0".to_owned()),
        iso: Some(u32::MAX),
        gps_latitude: Some("-0.5".to_owned()),
        ..Exif::default()
    };
    Entry {
        owner: owner.clone(),
        scope: scope("me"),
        hash: ContentHash::of(content.as_bytes()),
        size: content.len() as u64,
        mime_type: "image/webp".to_owned(),
        file_name: Some("a cat’s 🐈 'name'.webp".to_owned()),
        status: MediaStatus::Ready,
        metadata: Some(metadata),
        exif: Some(exif),
    }
}

pub(super) fn in_scope(entry: &Entry, name: &str) -> Entry {
    Entry { scope: scope(name), ..entry.clone() }
}
