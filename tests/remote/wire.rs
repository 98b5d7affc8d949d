//! The recorded exchanges, and a service on a socket that answers with them.

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

/// One line of a recording, trimmed to what is read here.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    pub seq: usize,
    pub name: String,
    pub request: Asked,
    /// Several where requests were sent at the same moment; none where no test sends the request.
    pub answers: Vec<Answer>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    /// Names of headers that are not in every request.
    #[serde(default)]
    pub headers: Vec<String>,
    pub range: Option<String>,
    pub form: Option<Vec<Part>>,
    #[serde(default)]
    pub chunked: bool,
    /// Whether there was a body that is no form, or a broken one.
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
    /// Length of a body that is no text.
    pub length: usize,
    /// The connection was closed without an answer.
    pub closed: bool,
    /// There never was an answer.
    pub silent: bool,
}

impl Answer {
    pub fn json(status: u16, text: impl Into<String>) -> Self {
        let (content_type, text) = (Some("application/json".to_owned()), Some(text.into()));
        Self { status, content_type, text, ..Self::default() }
    }

    /// The bytes that stand for the recorded ones: bodies of pictures were measured, not kept.
    pub fn bytes(&self) -> Bytes {
        match &self.text {
            Some(text) => Bytes::from(text.clone()),
            None => Bytes::from(vec![b'p'; self.length]),
        }
    }

    async fn send(self, body: Bytes) -> Response {
        if self.closed {
            // A handler that unwinds is how hyper closes a connection without an answer.
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

/// What a request says: compared instead of its bytes, for order and escaping of a query mean nothing
/// and a parameter that is left out has a value too.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    method: String,
    path: String,
    query: BTreeMap<String, Vec<String>>,
    texts: BTreeMap<String, Vec<String>>,
    file_name: Option<String>,
    range: Option<String>,
}

/// What the service takes a parameter for that is not given.
const DEFAULTS: [(&str, &[(&str, &str)]); 3] = [
    ("/transform", &[("format", "webp"), ("fit", "inside"), ("q", "85")]),
    (
        "/list/all",
        &[
            ("sortBy", "createdAt"),
            ("sortOrder", "desc"),
            ("limit", "50"),
            ("offset", "0"),
            // The recorded service does not know it.
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

/// A path with its percent sequences resolved.
pub fn unescaped(path: &str) -> String {
    // A form would read `+` as a blank.
    let form = format!("={}", path.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes()).next().map_or_else(String::new, |(_, path)| path.into())
}

/// A service that answers with the exchanges it has been given, and notes what else it is asked.
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
    /// Begins to serve nothing, on a port of the system's choice, until the test's runtime ends.
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

    /// Serves these from now on, and no others. Asked several times, an exchange gives its answers one
    /// after the other, and then the last again.
    pub fn serve(&self, exchanges: impl IntoIterator<Item = Exchange>) {
        let exchanges = exchanges.into_iter().map(|exchange| (exchange, 0)).collect();
        *self.shared.lock().unwrap() = Shared { exchanges, ..Shared::default() };
    }

    /// How often each of the exchanges was asked for.
    pub fn asked(&self) -> Vec<usize> {
        self.shared.lock().unwrap().exchanges.iter().map(|(_, asked)| *asked).collect()
    }

    /// What was asked and is in none of the exchanges.
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
    // The recorded service has no such route, and says so like this.
    let owned = meaning.method == "POST" && meaning.path.ends_with("/media/owned");
    let found = if owned { None } else { service.find(&meaning) };
    let Some((exchange, answer)) = found else {
        return Response::builder().status(404).body(Body::from("404 Not Found")).unwrap();
    };
    let mut body = answer.bytes();
    // What was uploaded was not kept either: for the service it is the same file under another hash.
    let files = exchange.request.form.iter().flatten().filter(|part| !part.sha256.is_empty());
    for part in files {
        let text = String::from_utf8(body.to_vec()).unwrap();
        body = text.replace(&part.sha256, &ContentHash::of(&file).to_string()).into();
    }
    answer.send(body).await
}
