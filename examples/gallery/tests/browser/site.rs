//! The gallery on a port of its own, over a folder of its own, with a clock that can be moved.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{Router, extract::RawQuery, response::Html, routing::get};
use tempfile::TempDir;
use tower_media::routes::{PartialUploads, UrlSigner};

use crate::gallery;

/// What a page does that runs: it tells the server.
const SCRIPT: &str = "fetch('/ran')";

pub struct Site {
    pub url: String,
    pub folder: TempDir,
    /// How many seconds later it is.
    later: Arc<AtomicU64>,
    /// How many scripts ran that should not.
    ran: Arc<AtomicU64>,
}

impl Site {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (later, ran) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let clock = Arc::clone(&later);
        let links = UrlSigner::new("test", [7; 32]).unwrap().with_clock(move || {
            SystemTime::now() + Duration::from_secs(clock.load(Ordering::Relaxed))
        });
        let media = gallery::open(folder.path().join("gallery"), links).await.unwrap();
        let count = Arc::clone(&ran);
        let uploads = PartialUploads::in_folder(folder.path().join("gallery")).unwrap();
        let app = gallery::app(&media, uploads)
            .route("/ran", get(async move || count.fetch_add(1, Ordering::Relaxed).to_string()))
            .route("/careless", get(|| async { Html(page()) }))
            .route("/embedding", get(embedding));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, app));
        Self { url, folder, later, ran }
    }

    pub fn later(&self, time: Duration) {
        self.later.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    pub fn scripts_that_ran(&self) -> u64 {
        self.ran.load(Ordering::Relaxed)
    }

    /// Writes a file, to be uploaded.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

async fn serve(listener: tokio::net::TcpListener, app: Router) {
    axum::serve(listener, app).await.unwrap();
}

/// A page of the same origin, without any policy, that embeds an address in every way there is.
async fn embedding(RawQuery(url): RawQuery) -> Html<String> {
    let url = url.unwrap();
    Html(format!(
        "<!doctype html><title>embedding</title><iframe src={url}></iframe><embed src={url}>\
         <object data={url}></object><img src={url}><script src={url}></script>"
    ))
}

/// A web page that runs a script.
pub fn page() -> String {
    format!("<!doctype html><title>careless</title><h1>hello</h1><script>{SCRIPT}</script>")
}

/// A drawing that runs a script.
pub fn drawing() -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><script>{SCRIPT}</script></svg>"
    )
}

/// A fixture.
pub fn picture(name: &str) -> PathBuf {
    let images = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/images");
    // The browser takes canonical paths only.
    PathBuf::from(images).join(name).canonicalize().unwrap()
}
