//! Two people with media, a backend that makes renditions, and a client that reads whole answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, request::Builder},
    middleware::{Next, from_fn},
    response::Response,
};
use bytes::Bytes;
use serde_json::Value;
use tower::ServiceExt as _;
use tower_media::{
    Download, DownloadOptions, Error, ErrorKind, InMemory, ListOptions, Media, MediaBackend,
    MediaId, MediaState, MediaStats, MediaUrls, Owner, Ownership, OwnershipQuestion, Page,
    Rendition, Result, Upload, UrlSigner, testkit::Faulty,
};

pub const SECRET: &[u8] = b"a secret that is only for tests, 48 bytes long..";

/// When it is in these tests, in seconds: not at the end of a window.
pub const NOW: u64 = 1_795_000_123;

/// Bytes that begin like a PNG, and of which no two are equal.
pub fn png(length: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend((bytes.len()..length).map(|n| (n % 251) as u8));
    bytes
}

/// A backend in memory, which makes texts of pictures that say what was asked for, and of nothing else.
#[derive(Debug, Clone, Default)]
pub struct Darkroom(InMemory);

/// What a [`Darkroom`] makes.
pub fn developed(rendition: Rendition) -> String {
    format!("developed: {rendition:?}")
}

impl Ownership for Darkroom {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.owned(question).await
    }
}

impl MediaBackend for Darkroom {
    async fn upload(&self, upload: Upload) -> Result<Media> {
        self.0.upload(upload).await
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        self.0.get(id).await
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let rendition = options.rendition();
        if rendition == Rendition::Original {
            return self.0.download(id, options).await;
        }
        if !self.0.get(id).await?.mime_type.starts_with("image/") {
            return Err(Error::new(ErrorKind::Unsupported, "this is no picture"));
        }
        let text = Bytes::from(developed(rendition));
        let whole = |bytes| Download::from_bytes("image/webp", bytes);
        let download = match options.part_of(text.len() as u64)? {
            None => whole(text).accepting_ranges(),
            Some(part) => {
                let range = part.range();
                whole(text.slice(range.start as usize..range.end as usize)).with_part(part)
            }
        };
        Ok(download.with_etag("\"developed\""))
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.0.list(owner, options).await
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.0.stats(owner).await
    }

    async fn remove(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.0.remove(owner, id).await
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.0.urls(id)
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Clone)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    pub fn signer(&self, key_id: &str, secret: &[u8]) -> UrlSigner {
        let seconds = Arc::clone(&self.0);
        let time = move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst));
        UrlSigner::new(key_id, secret).unwrap().with_clock(time)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(NOW.into()))
    }
}

/// A state over a backend that can be told to fail, two owners, and a clock.
pub struct World {
    pub media: MediaState,
    pub backend: Faulty<Darkroom>,
    pub clock: Clock,
    pub ana: Owner,
    pub bob: Owner,
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::default();
        let signer = clock.signer("k1", SECRET);
        Self::with_signer(clock, signer)
    }

    pub fn with_signer(clock: Clock, signer: UrlSigner) -> Self {
        let backend = Faulty::new(Darkroom::default());
        let media = MediaState::builder(backend.clone()).url_signer(signer).build();
        Self { media, backend, clock, ana: owner("ana"), bob: owner("bob") }
    }

    /// Stores a picture of Ana's.
    pub async fn picture(&self) -> MediaId {
        self.store(&self.ana, png(1000), "cat.png").await
    }

    pub async fn store(&self, owner: &Owner, bytes: impl Into<Bytes>, name: &str) -> MediaId {
        let upload = Upload::new(bytes).filename(name).owned_by(owner).scope("me");
        self.media.upload(upload).await.unwrap().id
    }

    /// The delivery routes with a login.
    pub fn app(&self) -> Router {
        signed_in(self.media.delivery_routes())
    }

    pub fn link(&self, id: &MediaId, rendition: impl Into<Rendition>) -> String {
        self.media.signed_url(id, rendition.into(), Duration::from_secs(60)).unwrap()
    }
}

/// What an application adds round its routes: a login. It is the header `x-user`, which stands for
/// whatever an application trusts.
pub fn signed_in(routes: Router) -> Router {
    routes.layer(from_fn(login))
}

async fn login(mut request: Request, next: Next) -> Response {
    if let Some(user) = request.headers().get("x-user") {
        let owner = owner(user.to_str().unwrap());
        request.extensions_mut().insert(owner);
    }
    next.run(request).await
}

pub fn owner(subject: &str) -> Owner {
    Owner::new(subject).unwrap()
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Status, headers and body without what is in them of a request.
    pub fn without(&self, text: &str) -> String {
        format!("{self:?}").replace(text, "")
    }

    pub async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Self { status: parts.status, headers: parts.headers, body }
    }
}

pub async fn send(app: &Router, request: Request) -> Answer {
    Answer::of(app.clone().oneshot(request).await.unwrap()).await
}

pub async fn get(app: &Router, request: Builder) -> Answer {
    send(app, request.body(Body::empty()).unwrap()).await
}

/// A request of Ana's.
pub fn ana(uri: impl AsRef<str>) -> Builder {
    Request::get(uri.as_ref()).header("x-user", "ana")
}

/// A request of nobody's.
pub fn nobody(uri: impl AsRef<str>) -> Builder {
    Request::get(uri.as_ref())
}

/// A date as HTTP has it, so many seconds after the given time.
pub fn http_date(time: SystemTime, later: i64) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + later;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds as u64))
}
