//! A fake of the original media service, its bugs included, with records in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Multipart, Path, Query, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};
use tower_media::{MediaId, media::ContentHash};

/// The response to `POST /owned`, a route that the original service does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owned {
    /// 404, like the original service.
    #[default]
    Unknown,
    /// 405, like a service whose route `/{id}` matches.
    OtherMethods,
    Known,
    /// Reports an id that is not in the query.
    Surplus,
    /// 503
    Down,
}

/// A service on a port of its own, until it is dropped.
pub struct Service {
    pub url: String,
    shared: Arc<Shared>,
    server: AbortHandle,
}

#[derive(Default)]
struct Shared {
    store: Mutex<Store>,
    counts: watch::Sender<HashMap<&'static str, usize>>,
    to_hold: Mutex<HashMap<&'static str, usize>>,
    released: watch::Sender<()>,
    processing: AtomicBool,
}

#[derive(Default)]
struct Store {
    records: HashMap<String, Record>,
    by_hash: HashMap<String, String>,
    users: HashMap<String, User>,
    made: u64,
    owned: Owned,
    cap: Option<usize>,
    /// The number of ids in each query to `/owned`.
    asked: Vec<usize>,
}

#[derive(Default)]
struct User {
    /// App and id, once for each upload.
    references: Vec<(String, String)>,
    /// The apps of each id.
    owned: HashMap<String, HashSet<String>>,
}

struct Record {
    made: u64,
    status: &'static str,
    /// All of the record's JSON but for the status.
    head: String,
    tail: String,
    hash: String,
    mime_type: &'static str,
    bytes: Bytes,
}

impl Record {
    fn write(&self, json: &mut String) {
        json.extend([&self.head, self.status, &self.tail]);
    }

    fn json(&self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Service {
    pub async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let media = Router::new()
            .route("/", get(list))
            .route("/upload", post(upload))
            .route("/owned", post(owned))
            .route("/list/all", get(list_all))
            .route("/hash/{hash}", get(by_hash))
            .route("/{id}", get(record).delete(delete))
            .route("/{id}/file", get(file))
            .route("/{id}/file/{variant}", get(variant))
            .route("/{id}/transform", get(transform));
        let app = Router::new()
            .nest("/api/v1/media", media)
            .fallback(no_route)
            .method_not_allowed_fallback(no_route)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, server: server.abort_handle() }
    }

    /// Starts a service with `/owned`.
    pub async fn with_owned_route() -> Self {
        let service = Self::start().await;
        service.answer_owned(Owned::Known);
        service
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store.lock().unwrap()
    }

    pub fn answer_owned(&self, owned: Owned) {
        self.store().owned = owned;
    }

    /// Caps all lists silently.
    pub fn cap_lists(&self, rows: usize) {
        self.store().cap = Some(rows);
    }

    /// Leaves later uploads in the status `processing`.
    pub fn stop_processing(&self) {
        self.shared.processing.store(true, Ordering::Relaxed);
    }

    /// Creates media as if uploaded by a user for an app.
    pub fn give(&self, user: &str, app: &str, count: usize) -> Vec<MediaId> {
        static GIVEN: AtomicUsize = AtomicUsize::new(0);
        let mut store = self.store();
        let status =
            if self.shared.processing.load(Ordering::Relaxed) { "processing" } else { "ready" };
        let mut ids = Vec::new();
        for _ in 0..count {
            let bytes = format!("given {}", GIVEN.fetch_add(1, Ordering::Relaxed));
            let id = store.put(Some("given.jpg"), "image/jpeg", status, bytes.into());
            store.refer(user, app, &id);
            ids.push(MediaId::from_trusted(&id).unwrap());
        }
        ids
    }

    /// Refers to media once more, as another upload of the same bytes does.
    pub fn give_again(&self, user: &str, app: &str, id: &MediaId) {
        self.store().refer(user, app, id.as_str());
    }

    /// Deletes a record without a request.
    pub fn lose(&self, id: &MediaId) {
        self.store().remove(id.as_str());
    }

    /// The number of ids in each query to `/owned`.
    pub fn owned_queries(&self) -> Vec<usize> {
        self.store().asked.clone()
    }

    pub fn count(&self, route: &'static str) -> usize {
        self.shared.counts.borrow().get(route).copied().unwrap_or_default()
    }

    /// Waits until a route has been called that often, held responses included.
    pub async fn called(&self, route: &'static str, times: usize) {
        let mut counts = self.shared.counts.subscribe();
        counts.wait_for(|counts| counts.get(route) >= Some(&times)).await.unwrap();
    }

    /// Holds the responses to the next calls of a route until `release`. Their content is that of the
    /// time of the call.
    pub fn hold(&self, route: &'static str, calls: usize) {
        self.shared.to_hold.lock().unwrap().insert(route, calls);
    }

    pub fn release(&self) {
        self.shared.to_hold.lock().unwrap().clear();
        self.shared.released.send_replace(());
    }
}

impl Shared {
    /// Counts a call and responds from the store.
    async fn answer(
        &self,
        route: &'static str,
        answer: impl FnOnce(&mut Store) -> Response,
    ) -> Response {
        let answer = answer(&mut self.store.lock().unwrap());
        let mut released = self.released.subscribe();
        let held = self.is_held(route);
        self.counts.send_modify(|counts| *counts.entry(route).or_default() += 1);
        if held {
            released.changed().await.unwrap();
        }
        answer
    }

    fn is_held(&self, route: &'static str) -> bool {
        let mut to_hold = self.to_hold.lock().unwrap();
        let left = to_hold.get_mut(route).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }
}

impl Store {
    /// Stores bytes under a new id, unless they are stored already.
    fn put(
        &mut self,
        name: Option<&str>,
        mime_type: &'static str,
        status: &'static str,
        bytes: Bytes,
    ) -> String {
        let hash = ContentHash::of(&bytes).to_string();
        if let Some(id) = self.by_hash.get(&hash) {
            return id.clone();
        }
        let id = MediaId::random().to_string();
        self.made += 1;
        let (ms, s) = (self.made % 1_000, self.made / 1_000);
        let created =
            format!("2026-11-22T{:02}:{:02}:{:02}.{ms:03}Z", s / 3_600, s / 60 % 60, s % 60);
        let base = "http://localhost:3015/api/v1/media";
        let head = format!("{{\"id\":\"{id}\",\"status\":\"");
        let size = bytes.len();
        let exif = r#""exif":{"cameraMake":"Canon","cameraModel":"EOS Test 5D","dateTaken":"2024-03-15T14:30:45.000Z","focalLength":"50mm","aperture":"2.8","iso":400,"exposureTime":"1/250","gpsLatitude":"47.6603","gpsLongitude":"9.175799999999999"}"#;
        let tail = format!(
            "\",\"originalName\":{},\"mimeType\":\"{mime_type}\",\"size\":{size},\"hash\":\"{hash}\",\
             \"urls\":{{\"original\":\"{base}/{id}/file\",\"thumbnail\":\"{base}/{id}/file/thumb\"}},\
             \"metadata\":{{\"width\":320,\"height\":240,\"format\":\"jpeg\"}},{exif},\
             \"createdAt\":\"{created}\"}}",
            json!(name),
        );
        let record =
            Record { made: self.made, status, head, tail, hash: hash.clone(), mime_type, bytes };
        self.records.insert(id.clone(), record);
        self.by_hash.insert(hash, id.clone());
        id
    }

    fn refer(&mut self, user: &str, app: &str, id: &str) {
        let user = self.users.entry(user.to_owned()).or_default();
        user.references.push((app.to_owned(), id.to_owned()));
        user.owned.entry(id.to_owned()).or_default().insert(app.to_owned());
    }

    /// Deletes a record and all references to it.
    fn remove(&mut self, id: &str) -> bool {
        let Some(record) = self.records.remove(id) else { return false };
        self.by_hash.remove(&record.hash);
        for user in self.users.values_mut() {
            user.references.retain(|(_, of)| of != id);
            user.owned.remove(id);
        }
        true
    }

    fn referred<'a>(
        &'a self,
        user: &str,
        in_app: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a str> {
        let references = self.users.get(user).into_iter().flat_map(|user| &user.references);
        references.filter(move |(app, _)| in_app(app)).map(|(_, id)| &**id)
    }

    fn owns(&self, user: &str, in_app: impl Fn(&str) -> bool, id: &str) -> bool {
        let apps = self.users.get(user).and_then(|user| user.owned.get(id));
        apps.is_some_and(|apps| apps.iter().any(|app| in_app(app)))
    }

    fn json_list<'a>(&self, ids: impl Iterator<Item = &'a str>) -> String {
        let mut list = String::from("[");
        for id in ids {
            if list.len() > 1 {
                list.push(',');
            }
            self.records[id].write(&mut list);
        }
        list.push(']');
        list
    }

    fn limit(&self, query: &HashMap<String, String>) -> usize {
        let limit = match number(query.get("limit")) {
            None | Some(0) => 50,
            Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        limit.min(self.cap.unwrap_or(usize::MAX))
    }

    fn find(&self, id: &str) -> Result<(&str, &Record), Box<Response>> {
        let id = uuid(id).ok_or_else(|| Box::new(broken()))?;
        let found = self.records.get_key_value(&id);
        let missing = || Box::new(missing("Media not found"));
        found.map(|(id, record)| (id.as_str(), record)).ok_or_else(missing)
    }
}

/// Parses a UUID like PostgreSQL: in any case, with dashes after any four digits.
fn uuid(text: &str) -> Option<String> {
    let digits: String = text.to_lowercase().chars().filter(|c| *c != '-').collect();
    let valid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let part = |from: usize, to: usize| &digits[from..to];
    valid.then(|| [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

fn number(text: Option<&String>) -> Option<i64> {
    let text = text?.trim_start();
    let end = text.bytes().skip(1).take_while(u8::is_ascii_digit).count() + 1;
    text.get(..end)?.parse().ok()
}

/// An undefined order.
fn shuffle<T>(rows: &mut [T]) {
    static SEED: AtomicUsize = AtomicUsize::new(0x2545_f491);
    let mut seed = SEED.fetch_add(0x9e37_79b9, Ordering::Relaxed) | 1;
    for n in (1..rows.len()).rev() {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        rows.swap(n, seed % (n + 1));
    }
}

type Media = State<Arc<Shared>>;
type Params = Query<HashMap<String, String>>;

fn json_text(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}

fn broken() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
}

fn missing(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": what }))).into_response()
}

fn bad(what: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": what }))).into_response()
}

async fn no_route() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404 Not Found")
}

async fn list(State(shared): Media, Query(query): Params) -> Response {
    let filter = |name| query.get(name).filter(|text| !text.is_empty());
    let (user, app) = (filter("userId"), filter("app"));
    let answer = |store: &mut Store| {
        let in_app = |of: &str| app.is_none_or(|app| app == of);
        let mut rows: Vec<&str> = match user {
            Some(user) => store.referred(user, in_app).collect(),
            None if app.is_none() => store.records.keys().map(String::as_str).collect(),
            None => store.users.keys().flat_map(|user| store.referred(user, in_app)).collect(),
        };
        shuffle(&mut rows);
        rows.truncate(store.limit(&query));
        json_text(StatusCode::OK, store.json_list(rows.into_iter()))
    };
    shared.answer("list", answer).await
}

async fn list_all(State(shared): Media, Query(query): Params) -> Response {
    let answer = |store: &mut Store| {
        let Some(user) = query.get("userId").filter(|user| !user.is_empty()) else {
            return bad("userId is required");
        };
        let offset = number(query.get("offset")).unwrap_or_default();
        let Ok(offset) = usize::try_from(offset) else { return broken() };
        let apps: Option<Vec<&str>> = query
            .get("apps")
            .filter(|apps| !apps.is_empty())
            .map(|apps| apps.split(',').map(str::trim).collect());
        let in_apps = |of: &str| apps.as_ref().is_none_or(|apps| apps.contains(&of));
        let ids: HashSet<&str> = store.referred(user, in_apps).collect();
        let mut ids: Vec<&str> =
            ids.into_iter().filter(|id| store.records[*id].status == "ready").collect();
        ids.sort_by_key(|id| std::cmp::Reverse(store.records[*id].made));
        let total = ids.len();
        let page: Vec<&str> = ids.into_iter().skip(offset).take(store.limit(&query)).collect();
        let more = offset + page.len() < total;
        let items = store.json_list(page.into_iter());
        let text = format!("{{\"items\":{items},\"total\":{total},\"hasMore\":{more}}}");
        json_text(StatusCode::OK, text)
    };
    shared.answer("list/all", answer).await
}

async fn owned(State(shared): Media, Json(question): Json<Value>) -> Response {
    let answer = |store: &mut Store| {
        let strings = |name: &str| -> Option<Vec<String>> {
            question.get(name).map(|list| serde_json::from_value(list.clone()).unwrap())
        };
        let ids = strings("ids").unwrap();
        store.asked.push(ids.len());
        match store.owned {
            Owned::Unknown => return (StatusCode::NOT_FOUND, "404 Not Found").into_response(),
            Owned::OtherMethods => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
            Owned::Down => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Owned::Known | Owned::Surplus => {}
        }
        let apps = strings("apps");
        let in_apps = |of: &str| apps.as_ref().is_none_or(|apps| apps.iter().any(|app| app == of));
        let user = question["userId"].as_str().unwrap();
        let mut owned: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| store.owns(user, in_apps, id)).collect();
        if store.owned == Owned::Surplus {
            owned.push("00000000-0000-4000-8000-000000000000");
        }
        Json(json!({ "owned": owned })).into_response()
    };
    shared.answer("owned", answer).await
}

async fn record(State(shared): Media, Path(id): Path<String>) -> Response {
    let answer = |store: &mut Store| match store.find(&id) {
        Ok((_, record)) => json_text(StatusCode::OK, record.json()),
        Err(refusal) => *refusal,
    };
    shared.answer("get", answer).await
}

async fn by_hash(State(shared): Media, Path(hash): Path<String>) -> Response {
    let answer = |store: &mut Store| match store.by_hash.get(&hash) {
        Some(id) => json_text(StatusCode::OK, store.records[id].json()),
        None => missing("Media not found"),
    };
    shared.answer("hash", answer).await
}

async fn delete(State(shared): Media, Path(id): Path<String>) -> Response {
    let answer = |store: &mut Store| match store.find(&id).map(|(id, _)| id.to_owned()) {
        Ok(id) => {
            store.remove(&id);
            Json(json!({ "success": true })).into_response()
        }
        Err(refusal) => *refusal,
    };
    shared.answer("delete", answer).await
}

async fn file(State(shared): Media, Path(id): Path<String>) -> Response {
    shared.answer("file", |store| original(store, &id)).await
}

/// This fake creates no variants, and the service sends the original for missing ones.
async fn variant(State(shared): Media, Path((id, _)): Path<(String, String)>) -> Response {
    shared.answer("variant", |store| original(store, &id)).await
}

fn original(store: &Store, id: &str) -> Response {
    match store.find(id) {
        Ok((_, record)) => {
            ([(CONTENT_TYPE, record.mime_type)], Body::from(record.bytes.clone())).into_response()
        }
        Err(refusal) => *refusal,
    }
}

async fn transform(State(shared): Media, Path(id): Path<String>, Query(query): Params) -> Response {
    let answer = |store: &mut Store| match store.find(&id) {
        Ok((_, record)) if !record.mime_type.starts_with("image/") => {
            bad("Transform only supported for images")
        }
        Ok((_, record)) if record.status == "failed" => broken(),
        Ok(_) => {
            let format = query.get("format").map_or("webp", String::as_str);
            ([(CONTENT_TYPE, format!("image/{format}"))], "a picture").into_response()
        }
        Err(refusal) => *refusal,
    };
    shared.answer("transform", answer).await
}

async fn upload(State(shared): Media, mut form: Multipart) -> Response {
    let mut texts = HashMap::new();
    let mut sent = None;
    loop {
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(_) => return broken(),
        };
        let (name, file_name) =
            (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
        let Ok(bytes) = field.bytes().await else { return broken() };
        match (name.as_deref(), file_name) {
            (Some("file"), Some(file_name)) => sent = Some((file_name, bytes)),
            (Some(name), _) => {
                texts.insert(name.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
            }
            _ => {}
        }
    }
    let Some((name, bytes)) = sent else { return bad("No file provided") };
    let is_gif = bytes.starts_with(b"GIF8");
    let status = if shared.processing.load(Ordering::Relaxed) {
        "processing"
    } else if is_gif && !bytes.ends_with(b";") {
        "failed"
    } else {
        "ready"
    };
    let answer = |store: &mut Store| {
        if !name.is_ascii() && !store.by_hash.contains_key(&ContentHash::of(&bytes).to_string()) {
            return broken();
        }
        let name = Some(name.as_str()).filter(|name| !name.is_empty() && !bytes.is_empty());
        let id = store.put(name, if is_gif { "image/gif" } else { "" }, status, bytes.clone());
        if let (Some(user), Some(app)) = (texts.get("userId"), texts.get("app"))
            && !user.is_empty()
            && !app.is_empty()
        {
            store.refer(user, app, &id);
        }
        json_text(StatusCode::CREATED, store.records[&id].json())
    };
    shared.answer("upload", answer).await
}
