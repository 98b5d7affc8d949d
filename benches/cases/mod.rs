//! The cases of both benches: the guard and its peers, with their requests.
//!
//! Every application has one route under the same two layers, which insert an `Owner` and the `MediaState`
//! into the extensions. Only the route differs:
//!
//! - `bare` takes the ids as text from `Path`, or as a struct from `Json`, and checks nothing;
//! - `tower-http` checks in an `AsyncRequireAuthorizationLayer` over an in-memory set, before the bare
//!   handler. For `Json` it reads and parses the body, and the handler parses it again;
//! - `by-hand` parses `Json` and checks the same set in the handler;
//! - `guard` is this crate over an ownership that grants everything;
//! - `guard-set` is this crate over the same set as the others.
//!
//! Several ids in a `Path` are one parameter, separated by commas.

use std::{
    collections::{HashMap, HashSet},
    hint::black_box,
    sync::Arc,
};

use axum::{
    Extension, Json, RequestExt as _, RequestPartsExt as _, Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get, post},
};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use tower::Service as _;
use tower_http::auth::{AsyncAuthorizeRequest, AsyncRequireAuthorizationLayer};
use tower_media::{
    InMemory, MediaId, MediaIds, MediaState, Owner, Ownership, OwnershipQuestion, UnverifiedId,
    Upload, VerifiedMedia, VerifyMediaLayer,
};

const COUNTS: [usize; 4] = [1, 3, 16, 256];

/// An application and its request.
pub(crate) struct Case {
    pub(crate) source: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) ids: usize,
    app: Router,
    method: Method,
    /// The target and the values of `HEADERS`, one in a line.
    head: String,
    body: Bytes,
}

const HEADERS: [HeaderName; 9] = [
    header::HOST,
    header::USER_AGENT,
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::ACCEPT_ENCODING,
    header::AUTHORIZATION,
    header::REFERER,
    // The last two are for requests with a body.
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
];

const VALUES: &str = "\
pictures.example
Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0
application/json, text/plain, */*
de,en;q=0.7
gzip, deflate, br
Bearer 0bd7cf3f6b9e4a6f8a3a
https://pictures.example/";

/// Returns all cases, with peers next to each other.
pub(crate) fn all() -> Vec<Case> {
    let grants = Grants::of(&ana(), ids(COUNTS[COUNTS.len() - 1]));
    let mut cases = Vec::new();
    for count in COUNTS {
        cases.extend(by_path(&grants).map(|peer| Case::path(peer, count)));
        cases.extend(by_json(&grants).map(|peer| Case::json(peer, count)));
    }
    cases
}

impl Case {
    fn path((peer, media, route): Peer, count: usize) -> Self {
        let ids: Vec<_> = ids(count).collect();
        Self {
            source: "path",
            peer,
            ids: count,
            app: app("/pictures/{ids}", &media, route),
            method: Method::GET,
            head: format!("/pictures/{}\n{VALUES}", ids.join(",")),
            body: Bytes::new(),
        }
    }

    fn json((peer, media, route): Peer, count: usize) -> Self {
        let text = Text { prompt: "a cat on a roof".into(), references: ids(count).collect() };
        let body = serde_json::to_vec(&text).expect("text serialises");
        Self {
            source: "json",
            peer,
            ids: count,
            app: app("/generate", &media, route),
            method: Method::POST,
            head: format!("/generate\n{VALUES}\napplication/json\n{}", body.len()),
            body: body.into(),
        }
    }

    /// Makes the request as hyper does: all texts of its head are slices of one buffer.
    pub(crate) fn request(&self) -> Request {
        let head = Bytes::copy_from_slice(self.head.as_bytes());
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| head.slice_ref(line));
        let target = Uri::from_maybe_shared(lines.next().expect("a first line"));

        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = target.expect("a target");
        for (name, line) in HEADERS.into_iter().zip(lines) {
            let value = HeaderValue::from_maybe_shared(line).expect("a header's value");
            request.headers_mut().insert(name, value);
        }
        request
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let Ok(response) = self.app.clone().call(request).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        response
    }
}

/// The name, the state behind the router, and the route of a peer.
type Peer = (&'static str, MediaState, MethodRouter);

fn app(path: &str, media: &MediaState, route: MethodRouter) -> Router {
    let router = Router::new().route(path, route).layer(media.layer()).layer(Extension(ana()));
    // As in `axum::serve`, the layers are applied once, not for each request.
    router.with_state(())
}

/// Returns an application over `InMemory`, with the path of another owner's picture and of an absent one.
#[allow(dead_code, reason = "one of the two benches uses it")]
pub(crate) async fn refusing() -> (Router, String, String) {
    let media = MediaState::in_memory();
    let bob = Owner::new("9d2e7f31-bob").expect("a subject");
    let upload = Upload::new("a picture").scope("me");
    let foreign = media.upload(&bob, upload).await.expect("stored").id;
    let guard = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
    let router = Router::new().route("/pictures/{id}", get(async || ()).layer(guard));
    let path = |id: MediaId| format!("/pictures/{id}");
    (router.layer(Extension(ana())).with_state(()), path(foreign), path(MediaId::random()))
}

fn ana() -> Owner {
    Owner::new("4b1c0f0a-ana").expect("a subject")
}

fn ids(count: usize) -> impl Iterator<Item = String> {
    (0..count)
        .map(|n| format!("{:08x}-390d-41fe-8146-{n:012x}", n.wrapping_mul(0x9e37_79b9) as u32))
}

fn by_path(grants: &Grants) -> [Peer; 4] {
    let decide = AsyncRequireAuthorizationLayer::new(DecideByPath(grants.clone()));
    let guarded = |peer, media: MediaState| {
        let guard = VerifyMediaLayer::<Path<Listed>>::new(media.clone()).id_count(1..=256);
        (peer, media, get(verified_path).layer(guard))
    };
    [
        ("bare", MediaState::in_memory(), get(path)),
        ("tower-http", MediaState::in_memory(), get(path).layer(decide)),
        guarded("guard", asking(GrantAll)),
        guarded("guard-set", asking(grants.clone())),
    ]
}

fn by_json(grants: &Grants) -> [Peer; 5] {
    let decide = AsyncRequireAuthorizationLayer::new(DecideByJson(grants.clone()));
    let guarded = |peer, media: MediaState| {
        let guard = VerifyMediaLayer::<Json<Generate>>::new(media.clone()).id_count(1..=256);
        (peer, media, post(verified_json).layer(guard))
    };
    [
        ("bare", MediaState::in_memory(), post(json)),
        ("tower-http", MediaState::in_memory(), post(json).layer(decide)),
        ("by-hand", MediaState::in_memory(), post(json_by_hand).with_state(grants.clone())),
        guarded("guard", asking(GrantAll)),
        guarded("guard-set", asking(grants.clone())),
    ]
}

// The payloads.

/// A body with unverified ids.
#[derive(Deserialize, MediaIds)]
struct Generate {
    prompt: String,
    references: Vec<UnverifiedId>,
}

/// The same body as text.
#[derive(Deserialize, Serialize)]
struct Text {
    prompt: String,
    references: Vec<String>,
}

/// A path parameter of ids that are separated by commas.
#[derive(MediaIds)]
struct Listed(Vec<UnverifiedId>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        let ids: Result<_, _> = text.split(',').map(UnverifiedId::parse).collect();
        ids.map(Self).map_err(D::Error::custom)
    }
}

// The handlers.

async fn path(Path(ids): Path<String>) -> StatusCode {
    black_box(ids);
    StatusCode::NO_CONTENT
}

async fn verified_path(VerifiedMedia(_, owned): VerifiedMedia<Path<Listed>>) -> StatusCode {
    black_box(owned.ids());
    StatusCode::NO_CONTENT
}

async fn json(Json(body): Json<Generate>) -> StatusCode {
    black_box((&body.prompt, &body.references));
    StatusCode::NO_CONTENT
}

async fn verified_json(
    VerifiedMedia(Json(body), owned): VerifiedMedia<Json<Generate>>,
) -> StatusCode {
    black_box((&body.prompt, &body.references, owned.ids()));
    StatusCode::NO_CONTENT
}

async fn json_by_hand(
    State(grants): State<Grants>,
    Extension(owner): Extension<Owner>,
    Json(body): Json<Text>,
) -> StatusCode {
    if !grants.grants_all(&owner, body.references.iter().map(String::as_str)) {
        return StatusCode::NOT_FOUND;
    }
    black_box((&body.prompt, &body.references));
    StatusCode::NO_CONTENT
}

// The ownerships.

/// The ids of each owner.
#[derive(Debug, Clone)]
struct Grants(Arc<HashMap<Owner, HashSet<String>>>);

impl Grants {
    fn of(owner: &Owner, ids: impl Iterator<Item = String>) -> Self {
        Self(Arc::new(HashMap::from([(owner.clone(), ids.collect())])))
    }

    fn grants_all<'a>(&self, owner: &Owner, mut ids: impl Iterator<Item = &'a str>) -> bool {
        self.0.get(owner).is_some_and(|owned| ids.all(|id| owned.contains(id)))
    }
}

impl Ownership for Grants {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> tower_media::Result<Vec<MediaId>> {
        let Some(owned) = self.0.get(question.owner()) else { return Ok(Vec::new()) };
        Ok(question.select(|id| owned.contains(id)))
    }
}

/// Grants all ids.
#[derive(Debug)]
struct GrantAll;

impl Ownership for GrantAll {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> tower_media::Result<Vec<MediaId>> {
        Ok(question.select(|_| true))
    }
}

fn asking(ownership: impl Ownership) -> MediaState {
    MediaState::builder(InMemory::new()).ownership(ownership).build()
}

type Decision = BoxFuture<'static, Result<Request, Response>>;

fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

#[derive(Clone)]
struct DecideByPath(Grants);

impl AsyncAuthorizeRequest<Body> for DecideByPath {
    type RequestBody = Body;
    type ResponseBody = Body;
    type Future = Decision;

    fn authorize(&mut self, request: Request) -> Decision {
        let Self(grants) = self.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let ids = parts.extract::<Path<String>>().await;
            let Path(ids) = ids.map_err(|rejection| rejection.into_response())?;
            let owner = parts.extensions.get::<Owner>().ok_or_else(not_found)?;
            if !grants.grants_all(owner, ids.split(',')) {
                return Err(not_found());
            }
            Ok(Request::from_parts(parts, body))
        })
    }
}

#[derive(Clone)]
struct DecideByJson(Grants);

impl AsyncAuthorizeRequest<Body> for DecideByJson {
    type RequestBody = Body;
    type ResponseBody = Body;
    type Future = Decision;

    fn authorize(&mut self, request: Request) -> Decision {
        let Self(grants) = self.clone();
        Box::pin(async move {
            let (parts, body) = request.with_limited_body().into_parts();
            let read = body.collect().await.map_err(|_| not_found())?.to_bytes();
            let ids = Json::<Text>::from_bytes(&read);
            let Json(text) = ids.map_err(|rejection| rejection.into_response())?;
            let owner = parts.extensions.get::<Owner>().ok_or_else(not_found)?;
            if !grants.grants_all(owner, text.references.iter().map(String::as_str)) {
                return Err(not_found());
            }
            Ok(Request::from_parts(parts, Body::from(read)))
        })
    }
}
