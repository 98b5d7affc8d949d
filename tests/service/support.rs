//! The service routes over a store, in process and on a socket.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, header, request::Builder},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::AbortHandle};
use tower::ServiceExt as _;
use tower_media::{
    InMemory, MediaState, Store,
    backend::ImageLimits,
    routes::{ServiceKeys, ServiceRoutes},
    store::{MakeVariants, StoreBuilder},
};

pub const KEY: &str = "the-key-of-these-tests";

/// The base of a store's URLs.
pub const PUBLIC_URL: &str = "http://localhost:3015/api/v1";

/// A server on a free port, which stops when this is dropped.
pub struct Server {
    pub url: String,
    task: AbortHandle,
}

impl Server {
    pub async fn start(app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
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

/// Returns every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A store in a temporary folder.
pub struct Home {
    pub folder: TempDir,
    pub store: Store,
}

impl Home {
    pub async fn new() -> Self {
        Self::with(Self::builder()).await
    }

    pub fn builder() -> StoreBuilder {
        // Slow machines must not fail these tests.
        let limits = ImageLimits::default().with_timeout(Duration::from_secs(600));
        let builder = Store::builder().public_url(PUBLIC_URL);
        builder.variants(MakeVariants::Ahead).image_limits(limits)
    }

    pub async fn with(builder: StoreBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = builder.open(folder.path()).await.unwrap();
        Self { folder, store }
    }

    /// Opens the same folder again. There may be no other clone of the store.
    pub async fn reopened(self, builder: StoreBuilder) -> Self {
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

/// The routes over an `InMemory`, for files of at most 1 MiB.
pub fn in_memory() -> Router {
    ServiceRoutes::new(MediaState::new(InMemory::new()), keys()).max_bytes(1 << 20).into_router()
}

/// A file among the fixtures.
pub fn image(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    std::fs::read(folder.join(name)).unwrap()
}

/// Sends a request with a key.
pub async fn send(app: &Router, request: Builder, body: Body) -> Response<Body> {
    let request = request.header("x-service-key", KEY).body(body).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

/// Returns the status and the JSON of a response.
pub async fn answer(response: Response<Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 64 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub async fn get(app: &Router, path: &str) -> (u16, Value) {
    answer(send(app, Request::get(format!("/api/v1/media{path}")), Body::empty()).await).await
}

/// The disposition of a file part.
pub const FILE: &str = "name=\"file\"; filename=\"a.bin\"";

/// A form of these parts, each a disposition and bytes.
pub fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, bytes) in parts {
        body.extend(format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    body
}

pub async fn upload(app: &Router, body: impl Into<Body>) -> (u16, Value) {
    let request = Request::post("/api/v1/media/upload")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    answer(send(app, request, body.into()).await).await
}

pub async fn upload_for(app: &Router, user: &str, bytes: &[u8]) -> Value {
    let parts = [("name=\"app\"", &b"me"[..]), ("name=\"userId\"", user.as_bytes()), (FILE, bytes)];
    let (status, record) = upload(app, form(&parts)).await;
    assert_eq!(status, 201, "{record}");
    record
}
