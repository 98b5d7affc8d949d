//! Two owners with media, and a client that reads whole responses.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{Extensions, HeaderMap, StatusCode, header, request::Builder},
    middleware::{Next, from_fn},
};
use bytes::Bytes;
use serde_json::Value;
use tower::ServiceExt as _;
use tower_media::{InMemory, MediaState, Owner, Upload, testkit::Faulty};

/// A state over a backend with injectable faults, and two owners.
pub struct World {
    pub media: MediaState,
    pub backend: Faulty<InMemory>,
    pub ana: Owner,
    pub bob: Owner,
}

impl World {
    pub fn new() -> Self {
        let backend = Faulty::new(InMemory::new());
        let media = MediaState::new(backend.clone());
        Self { media, backend, ana: owner("ana"), bob: owner("bob") }
    }

    /// Uploads unique content and returns its id as text.
    pub async fn upload(&self, owner: &Owner, scope: &str) -> String {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let upload = Upload::new(format!("content {count}")).scope(scope);
        self.media.upload(owner, upload).await.unwrap().id.to_string()
    }

    /// Adds the layers of an application: the state and authentication. Authentication is the header
    /// `x-user`, in place of an application's own.
    pub fn app(&self, routes: Router) -> Router {
        routes.layer(self.media.layer()).layer(from_fn(login))
    }
}

pub fn owner(subject: &str) -> Owner {
    Owner::new(subject).unwrap()
}

pub async fn login(mut request: Request, next: Next) -> axum::response::Response {
    if let Some(user) = request.headers().get("x-user") {
        let owner = owner(user.to_str().unwrap());
        request.extensions_mut().insert(owner);
    }
    next.run(request).await
}

/// A response with its whole body.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub extensions: Extensions,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the ids in `missing` of a refusal.
    pub fn missing(&self) -> Vec<String> {
        serde_json::from_value(self.json()["missing"].clone()).unwrap_or_default()
    }
}

pub async fn send(app: &Router, request: Request) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, extensions: parts.extensions, body }
}

pub fn by(owner: &Owner, request: Builder) -> Builder {
    request.header("x-user", owner.subject())
}

pub fn post_json(owner: &Owner, uri: &str, body: &Value) -> Request {
    by(owner, Request::post(uri))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

pub fn get(owner: &Owner, uri: &str) -> Request {
    by(owner, Request::get(uri)).body(Body::empty()).unwrap()
}
