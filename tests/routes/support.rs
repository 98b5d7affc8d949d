//! Two owners with media, a clock, and a client that reads whole responses.

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
    InMemory, MediaId, MediaState, Owner, Rendition, Upload, routes::UrlSigner, testkit::Faulty,
};

pub const SECRET: &[u8] = b"a secret that is only for tests, 48 bytes long..";

/// The time of the tests in seconds; not at the end of a window.
pub const NOW: u64 = 1_795_000_123;

/// A PNG of `length` bytes, with trailing bytes after its end.
pub fn png(length: usize) -> Vec<u8> {
    let mut bytes = include_bytes!("../fixtures/images/tiny-16x12.png").to_vec();
    bytes.extend((bytes.len()..length).map(|n| (n % 251) as u8));
    bytes
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

/// A state over a backend with injected faults, two owners, and a clock.
pub struct World {
    pub media: MediaState,
    pub backend: Faulty<InMemory>,
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
        let backend = Faulty::new(InMemory::new());
        let media = MediaState::builder(backend.clone()).url_signer(signer).build();
        Self { media, backend, clock, ana: owner("ana"), bob: owner("bob") }
    }

    /// Stores an image of Ana.
    pub async fn picture(&self) -> MediaId {
        self.store(&self.ana, png(1000), "cat.png").await
    }

    pub async fn store(&self, owner: &Owner, bytes: impl Into<Bytes>, name: &str) -> MediaId {
        let upload = Upload::new(bytes).file_name(name).scope("me");
        self.media.upload(owner, upload).await.unwrap().id
    }

    /// The delivery routes with a login.
    pub fn app(&self) -> Router {
        signed_in(self.media.delivery_routes())
    }

    /// Returns the bytes that the backend delivers.
    pub async fn developed(&self, id: &MediaId, rendition: Rendition) -> Bytes {
        let download = self.media.download(id, rendition).await.unwrap();
        download.into_bytes(1 << 20).await.unwrap()
    }

    pub fn link(&self, id: &MediaId, rendition: impl Into<Rendition>) -> String {
        self.media.signed_url(id, rendition.into(), Duration::from_secs(60)).unwrap()
    }
}

/// Adds authentication to routes, as an application does. The header `x-user` stands for a session.
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

/// A response with its whole body.
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

    /// Formats status, headers and body without `text`, which the request contained.
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

/// A request of Ana.
pub fn ana(uri: impl AsRef<str>) -> Builder {
    Request::get(uri.as_ref()).header("x-user", "ana")
}

/// A request without an owner.
pub fn anonymous(uri: impl AsRef<str>) -> Builder {
    Request::get(uri.as_ref())
}

/// Formats an HTTP date, `later` seconds after the time.
pub fn http_date(time: SystemTime, later: i64) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + later;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds as u64))
}

/// A multipart form.
#[derive(Debug, Clone, Default)]
pub struct Form(Vec<Part>);

#[derive(Debug, Clone)]
pub struct Part {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    bytes: Bytes,
}

pub fn text(name: &str, value: &str) -> Part {
    let bytes = Bytes::copy_from_slice(value.as_bytes());
    Part { name: name.to_owned(), file_name: None, content_type: None, bytes }
}

pub fn file(file_name: &str, bytes: &[u8]) -> Part {
    let bytes = Bytes::copy_from_slice(bytes);
    Part { file_name: Some(file_name.to_owned()), bytes, ..text("file", "") }
}

impl Part {
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    pub fn of_type(self, content_type: &str) -> Self {
        Self { content_type: Some(content_type.to_owned()), ..self }
    }
}

impl Form {
    pub const TYPE: &'static str = "multipart/form-data; boundary=boundary";

    pub fn new() -> Self {
        Self::default()
    }

    pub fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }

    pub fn bytes(&self) -> Bytes {
        let mut all = Vec::new();
        for Part { name, file_name, content_type, bytes } in &self.0 {
            let mut head = format!("--boundary\r\nContent-Disposition: form-data; name=\"{name}\"");
            if let Some(file_name) = file_name {
                head += &format!("; filename=\"{file_name}\"");
            }
            if let Some(content_type) = content_type {
                head += &format!("\r\nContent-Type: {content_type}");
            }
            all.extend_from_slice(head.as_bytes());
            all.extend_from_slice(b"\r\n\r\n");
            all.extend_from_slice(bytes);
            all.extend_from_slice(b"\r\n");
        }
        all.extend_from_slice(b"--boundary--\r\n");
        all.into()
    }

    /// The form as a request without an owner.
    pub fn unsigned(&self) -> Request {
        Request::post("/up")
            .header("content-type", Self::TYPE)
            .body(Body::from(self.bytes()))
            .unwrap()
    }

    pub fn by(&self, user: &str) -> Request {
        let mut request = self.unsigned();
        request.headers_mut().insert("x-user", user.parse().unwrap());
        request
    }
}
