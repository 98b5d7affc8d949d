//! A service of ours on a socket of its own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use axum::Router;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::AbortHandle};
use tower_media::{
    Embedded, EmbeddedBuilder, MakeVariants, MediaState, PictureLimits,
    routes::{ServiceKeys, ServiceRoutes},
};

pub const KEY: &str = "the-key-of-these-tests";

/// What stands before the URLs of a store.
pub const PUBLIC_URL: &str = "http://localhost:3015/api/v1";

/// Ends with this.
pub struct Server {
    pub url: String,
    task: AbortHandle,
}

impl Server {
    pub async fn start(app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { url, task: task.abort_handle() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn keys() -> ServiceKeys {
    ServiceKeys::new(KEY).unwrap()
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A store in a folder of its own.
pub struct Home {
    pub folder: TempDir,
    pub store: Embedded,
}

impl Home {
    pub async fn new() -> Self {
        Self::with(Self::builder()).await
    }

    pub fn builder() -> EmbeddedBuilder {
        // How long a picture may take is not what these tests are about.
        let pictures = PictureLimits::default().with_timeout(Duration::from_secs(600));
        let builder = Embedded::builder().public_url(PUBLIC_URL);
        builder.variants(MakeVariants::Ahead).pictures(pictures)
    }

    pub async fn with(builder: EmbeddedBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = builder.open(folder.path()).await.unwrap();
        Self { folder, store }
    }

    /// The same folder, opened anew. No clone of the store may be left.
    pub async fn reopened(self, builder: EmbeddedBuilder) -> Self {
        let Self { folder, store } = self;
        store.close().await.unwrap();
        drop(store);
        let store = builder.open(folder.path()).await.unwrap();
        Self { folder, store }
    }

    pub fn routes(&self) -> ServiceRoutes {
        ServiceRoutes::new(MediaState::new(self.store.clone()), keys()).spool_in(self.folder.path())
    }
}
