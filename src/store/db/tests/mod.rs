//! Tests of the database. Most run on each engine: see [`each_engine`].

mod contents;
mod cost;
mod faults;
mod listing;
mod model;
mod opening;
mod ownership;
#[cfg(feature = "postgres")]
mod postgres;
mod protocol;
mod removal;
mod renditions;
mod search;
mod starvation;
mod uploads;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, query,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tempfile::TempDir;

use super::{BlobId, Database, MediaRow, NewMedia, SqliteDatabase};
use crate::{
    error::Result,
    id::{ContentHash, MediaId},
    media::{Exif, ListOptions, MediaStats, MediaStatus, Metadata},
    owner::{Owner, Scope, Scopes},
    ownership::OwnershipQuestion,
};

#[cfg(feature = "postgres")]
#[path = "../../../../tests/common/postgres.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the public API")]
pub(super) mod cluster;

/// Runs each of these tests on SQLite, and on PostgreSQL if that is asked for.
macro_rules! each_engine {
    ($($test:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(super::Engine::Sqlite).await;
            })*
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs PostgreSQL"]
            async fn $test() {
                super::$test(super::Engine::Postgres).await;
            })*
        }
    };
}
use each_engine;

#[derive(Debug, Clone, Copy)]
pub(super) enum Engine {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// A database in a temporary folder, or one of the test's own in the cluster.
pub(super) struct TestDb {
    pub(super) folder: TempDir,
    /// Of PostgreSQL.
    pub(super) url: Option<String>,
    pub(super) db: Arc<dyn Database>,
}

impl TestDb {
    pub(super) async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        match engine {
            Engine::Sqlite => {
                let db = SqliteDatabase::open(folder.path().join("db")).await.expect("a database");
                Self { folder, url: None, db: Arc::new(db) }
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres => {
                let url = cluster::Cluster::shared().create_database().await;
                let db = postgres::connect(&url).await.expect("a database");
                Self { folder, url: Some(url), db: Arc::new(db) }
            }
        }
    }

    pub(super) async fn insert(&self, entry: &NewMedia) -> MediaRow {
        self.try_insert(entry.clone(), None).await.expect("an insert")
    }

    /// Reserves the content and inserts the row.
    pub(super) async fn try_insert(&self, entry: NewMedia, quota: Option<u64>) -> Result<MediaRow> {
        let blob = self.db.reserve(entry.hash, entry.size).await?;
        let inserted = self.db.insert(entry, blob.generation, quota).await?;
        Ok(inserted.expect("no collection has claimed the content"))
    }

    pub(super) async fn reserve(&self, content: &str) -> BlobId {
        let hash = ContentHash::of(content.as_bytes());
        self.db.reserve(hash, content.len() as u64).await.expect("a write")
    }

    pub(super) async fn get(&self, id: &MediaId) -> Option<MediaRow> {
        self.db.get(id).await.expect("a query")
    }

    pub(super) async fn list(&self, owner: &Owner, options: ListOptions) -> Vec<MediaRow> {
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

    /// The contents without references, oldest first.
    pub(super) async fn unreferenced(&self) -> Vec<ContentHash> {
        #[cfg(feature = "postgres")]
        if let Some(url) = &self.url {
            return postgres::unreferenced(url).await;
        }
        let options = SqliteConnectOptions::new().filename(self.folder.path().join("db"));
        let mut conn = options.connect().await.expect("a connection");
        let rows = query("SELECT hash FROM contents WHERE refs = 0 ORDER BY since, hash");
        let rows = rows.fetch_all(&mut conn).await.expect("a list");
        conn.close().await.expect("closed");
        let hash = |row: &SqliteRow| row.get::<Vec<u8>, _>(0).try_into().expect("32 bytes");
        rows.iter().map(hash).map(ContentHash::from_bytes).collect()
    }
}

/// A time after everything done so far.
pub(super) fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

pub(super) fn owner(subject: &str) -> Owner {
    Owner::new(subject).expect("a subject")
}

pub(super) fn scope(name: &str) -> Scope {
    Scope::new(name).expect("a scope")
}

/// An image with all fields set.
pub(super) fn entry(owner: &Owner, content: &str) -> NewMedia {
    let mut metadata = Metadata::new(320, 240);
    metadata.format = Some("webp".to_owned());
    metadata.has_alpha = true;
    let exif = Exif {
        camera_make: Some("Canon \"5D\"\0".to_owned()),
        iso: Some(u32::MAX),
        gps_latitude: Some("-0.5".to_owned()),
        ..Exif::default()
    };
    NewMedia {
        owner: owner.clone(),
        scope: scope("me"),
        hash: ContentHash::of(content.as_bytes()),
        size: content.len() as u64,
        mime_type: "image/webp".to_owned(),
        file_name: Some("a cat’s 🐈 'name'.webp".to_owned()),
        status: MediaStatus::Ready,
        failure_reason: None,
        metadata: Some(metadata),
        exif: Some(exif),
    }
}

pub(super) fn in_scope(entry: &NewMedia, name: &str) -> NewMedia {
    NewMedia { scope: scope(name), ..entry.clone() }
}
