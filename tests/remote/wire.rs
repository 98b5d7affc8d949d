//! The recorded exchanges, and a server that replays them.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{
        Method, Uri,
        header::{CONTENT_TYPE, RANGE},
    },
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use tower_media::media::ContentHash;

/// One line of a recording, as far as the tests read it.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    pub seq: usize,
    pub name: String,
    pub request: Asked,
    /// Several for simultaneous requests; empty if no test sends the request.
    pub answers: Vec<Answer>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    /// The names of headers beyond the usual ones.
    #[serde(default)]
    pub headers: Vec<String>,
    pub range: Option<String>,
    pub form: Option<Vec<Part>>,
    #[serde(default)]
    pub chunked: bool,
    /// Whether the body was not a form, or a broken one.
    #[serde(default)]
    pub raw: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Part {
    pub name: String,
    pub value: Option<String>,
    pub filename: Option<String>,
    #[serde(default)]
    pub length: usize,
    #[serde(default)]
    pub sha256: String,
    /// Whether its `Content-Disposition` was written by hand.
    #[serde(default)]
    pub by_hand: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub status: u16,
    #[serde(rename = "type")]
    pub content_type: Option<String>,
    pub chunked: bool,
    pub text: Option<String>,
    /// The length of a body that is not text.
    pub length: usize,
    /// The connection was closed without a response.
    pub closed: bool,
    /// No response arrived.
    pub silent: bool,
}

impl Answer {
    pub fn json(status: u16, text: impl Into<String>) -> Self {
        let (content_type, text) = (Some("application/json".to_owned()), Some(text.into()));
        Self { status, content_type, text, ..Self::default() }
    }

    /// Stands for the recorded bytes, because only the lengths of image bodies were recorded.
    pub fn bytes(&self) -> Bytes {
        match &self.text {
            Some(text) => Bytes::from(text.clone()),
            None => Bytes::from(vec![b'p'; self.length]),
        }
    }

    async fn send(self, body: Bytes) -> Response {
        if self.closed {
            // An unwinding handler makes hyper close the connection without a response.
            std::panic::resume_unwind(Box::new(()));
        }
        if self.silent {
            return std::future::pending().await;
        }
        let body = match self.chunked {
            true => Body::from_stream(stream::iter([Ok::<_, std::io::Error>(body)])),
            false => Body::from(body),
        };
        let response = Response::builder().status(self.status);
        match self.content_type {
            Some(content_type) => response.header(CONTENT_TYPE, content_type).body(body),
            None => response.body(body),
        }
        .unwrap()
    }
}

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

/// The exchanges of one recording, in the order made.
pub fn recording(topic: &str) -> Vec<Exchange> {
    let text = fs::read_to_string(fixtures().join(format!("wire/{topic}.jsonl"))).unwrap();
    let exchanges: Vec<Exchange> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (number, exchange) in exchanges.iter().enumerate() {
        assert_eq!(exchange.seq, number + 1, "a line of {topic} is missing");
    }
    exchanges
}

/// One exchange of a recording.
pub fn recorded(topic: &str, seq: usize) -> Exchange {
    recording(topic).swap_remove(seq - 1)
}

pub fn picture(name: &str) -> Bytes {
    fs::read(fixtures().join("images").join(name)).unwrap().into()
}

/// The meaning of a request, compared instead of its bytes: without the order and the escaping of its
/// query, and with defaults for absent parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    method: String,
    path: String,
    query: BTreeMap<String, Vec<String>>,
    texts: BTreeMap<String, Vec<String>>,
    file_name: Option<String>,
    range: Option<String>,
}

/// The service's defaults for absent parameters.
const DEFAULTS: [(&str, &[(&str, &str)]); 3] = [
    ("/transform", &[("format", "webp"), ("fit", "inside"), ("q", "85")]),
    (
        "/list/all",
        &[
            ("sortBy", "createdAt"),
            ("sortOrder", "desc"),
            ("limit", "50"),
            ("offset", "0"),
            // The original service ignores it.
            ("after", ""),
        ],
    ),
    ("/api/v1/media", &[("limit", "50")]),
];

impl Meaning {
    fn new(method: &str, path: &str, query: &str) -> Self {
        let mut meaning = Self {
            method: method.to_owned(),
            path: unescaped(path),
            query: BTreeMap::new(),
            texts: BTreeMap::new(),
            file_name: None,
            range: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            meaning.query.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        for (_, defaults) in DEFAULTS.iter().filter(|(end, _)| path.ends_with(end)) {
            for (name, value) in *defaults {
                meaning.query.entry((*name).to_owned()).or_insert(vec![(*value).to_owned()]);
            }
        }
        meaning
    }

    fn of_recorded(asked: &Asked) -> Self {
        let query = asked.query.as_deref().unwrap_or_default();
        let mut meaning = Self::new(&asked.method, &asked.path, query);
        meaning.range = asked.range.clone();
        for part in asked.form.iter().flatten() {
            match &part.value {
                Some(text) => {
                    meaning.texts.entry(part.name.clone()).or_default().push(text.clone());
                }
                None => meaning.file_name = part.filename.clone(),
            }
        }
        meaning
    }

    async fn of_request(
        method: &Method,
        uri: &Uri,
        content_type: &str,
        body: &Bytes,
    ) -> (Self, Bytes) {
        let query = uri.query().unwrap_or_default();
        let mut meaning = Self::new(method.as_str(), uri.path(), query);
        let mut file = Bytes::new();
        if let Ok(boundary) = multer::parse_boundary(content_type) {
            let body = stream::iter([Ok::<_, std::io::Error>(body.clone())]);
            let mut form = multer::Multipart::new(body, boundary);
            while let Some(field) = form.next_field().await.unwrap() {
                let name = field.name().unwrap().to_owned();
                if let Some(file_name) = field.file_name() {
                    assert_eq!(name, "file");
                    meaning.file_name = Some(file_name.to_owned());
                    file = field.bytes().await.unwrap();
                } else {
                    meaning.texts.entry(name).or_default().push(field.text().await.unwrap());
                }
            }
        }
        (meaning, file)
    }
}

/// Percent-decodes a path.
pub fn unescaped(path: &str) -> String {
    // A form would decode `+` as a space.
    let form = format!("={}", path.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map_or_else(String::new, |(_, path)| path.into())
}

/// A service that replays exchanges and records all other requests.
#[derive(Clone)]
pub struct Service {
    pub url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    exchanges: Vec<(Exchange, usize)>,
    strays: Vec<String>,
    bodies: Vec<Bytes>,
}

impl Service {
    /// Starts without exchanges, on a free port, until the test's runtime ends.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Self { url, shared: Arc::default() };
        let app = Router::new().fallback(answer).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        service
    }

    pub async fn with(exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        let service = Self::start().await;
        service.serve(exchanges);
        service
    }

    /// Serves only these from now on. Repeated requests get the answers of an exchange in order, and then
    /// the last one again.
    pub fn serve(&self, exchanges: impl IntoIterator<Item = Exchange>) {
        let exchanges = exchanges.into_iter().map(|exchange| (exchange, 0)).collect();
        *self.shared.lock().unwrap() = Shared { exchanges, ..Shared::default() };
    }

    /// The number of requests for each exchange.
    pub fn asked(&self) -> Vec<usize> {
        self.shared.lock().unwrap().exchanges.iter().map(|(_, asked)| *asked).collect()
    }

    /// The requests that match no exchange.
    pub fn strays(&self) -> Vec<String> {
        self.shared.lock().unwrap().strays.clone()
    }

    /// The bodies of all requests.
    pub fn bodies(&self) -> Vec<Bytes> {
        self.shared.lock().unwrap().bodies.clone()
    }

    fn find(&self, meaning: &Meaning) -> Option<(Exchange, Answer)> {
        let mut shared = self.shared.lock().unwrap();
        let found = shared
            .exchanges
            .iter_mut()
            .find(|(exchange, _)| Meaning::of_recorded(&exchange.request) == *meaning);
        match found {
            Some((exchange, asked)) => {
                let answer = exchange.answers[(*asked).min(exchange.answers.len() - 1)].clone();
                *asked += 1;
                Some((exchange.clone(), answer))
            }
            None => {
                shared.strays.push(format!("{meaning:?}"));
                None
            }
        }
    }
}

async fn answer(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let content_type = parts.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
    let (mut meaning, file) =
        Meaning::of_request(&parts.method, &parts.uri, content_type, &body).await;
    meaning.range = parts.headers.get(RANGE).map(|value| value.to_str().unwrap().to_owned());
    service.shared.lock().unwrap().bodies.push(body);
    // The response of the original service, which has no such route.
    let owned = meaning.method == "POST" && meaning.path.ends_with("/media/owned");
    let found = if owned { None } else { service.find(&meaning) };
    let Some((exchange, answer)) = found else {
        return Response::builder().status(404).body(Body::from("404 Not Found")).unwrap();
    };
    let mut body = answer.bytes();
    // Uploaded bytes were not recorded, so the response names the hash of the bytes that were sent.
    let files = exchange.request.form.iter().flatten().filter(|part| !part.sha256.is_empty());
    for part in files {
        let text = String::from_utf8(body.to_vec()).unwrap();
        body = text.replace(&part.sha256, &ContentHash::of(&file).to_string()).into();
    }
    answer.send(body).await
}
