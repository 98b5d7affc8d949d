//! The recorded exchanges, and the requests in them made again.

use std::{collections::HashMap, fs, sync::LazyLock};

use axum::{
    body::Body,
    http::{Method, Request, Uri, header},
};
use serde::Deserialize;
use tower_media::ContentHash;

use super::Known;

/// One line of a recording.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    pub seq: usize,
    pub name: String,
    pub request: Asked,
    answers: Vec<Answer>,
    /// The answer, where it is of no use to a client's tests.
    seen: Option<Answer>,
    /// What the body of the answer shows.
    pub picture: Option<Picture>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    #[serde(default)]
    values: HashMap<String, String>,
    form: Option<Vec<Part>>,
    /// A body that is no form, each character a byte.
    body: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Part {
    name: String,
    value: Option<String>,
    filename: Option<String>,
    content_type: Option<String>,
    /// The whole header, where it was written by hand.
    disposition: Option<String>,
    #[serde(default)]
    length: usize,
    #[serde(default)]
    sha256: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    #[serde(default)]
    pub status: u16,
    #[serde(rename = "type")]
    pub content_type: Option<String>,
    pub text: Option<String>,
    #[serde(default)]
    pub length: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Picture {
    pub format: String,
    pub width: usize,
    pub height: usize,
}

/// The files of the recordings by their hash.
static FILES: LazyLock<HashMap<String, Vec<u8>>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.map(|bytes| (ContentHash::of(&bytes).to_string(), bytes)).collect()
});

pub fn recording(topic: &str) -> Vec<Exchange> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire");
    let text = fs::read_to_string(format!("{folder}/{topic}.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Exchange {
    /// What the recorded service answered, if it did.
    pub fn answer(&self) -> Option<&Answer> {
        self.answers.first().or(self.seen.as_ref()).filter(|answer| answer.status > 0)
    }

    /// The same request with our ids, hashes and dates, if it can be made.
    pub fn request(&self, known: &Known, key: &str) -> Option<Request<Body>> {
        let Asked { method, path, query, values, form, body } = &self.request;
        let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let target = known.translate(&format!("{path}{query}"));
        // What is no URI at all no server of ours gets to see.
        let uri: Uri = target.parse().ok()?;
        let method: Method = method.parse().ok()?;
        let mut request = Request::builder().method(method).uri(uri).header("x-service-key", key);
        for (name, value) in values {
            if form.is_some() && name == "Content-Type" {
                continue;
            }
            request = request.header(name.as_str(), known.translate(value));
        }
        if let Some(parts) = form {
            let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
            let request = request.header(header::CONTENT_TYPE, content_type);
            return request.body(multipart(parts).into()).ok();
        }
        let body = body.iter().flat_map(|text| text.chars()).map(|c| c as u8);
        request.body(body.collect::<Vec<u8>>().into()).ok()
    }

    /// The file that is uploaded, as recorded and as sent: their hashes and lengths.
    pub fn file_hashes(&self) -> Option<(String, String)> {
        let parts = self.request.form.as_ref()?;
        let file = parts.iter().rev().find(|part| part.name == "file" && part.value.is_none())?;
        Some((file.sha256.clone(), ContentHash::of(&file.bytes()).to_string()))
    }
}

const BOUNDARY: &str = "recorded-boundary";

fn multipart(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let disposition = part.disposition.clone().unwrap_or_else(|| {
            let name = format!("form-data; name=\"{}\"", part.name);
            match &part.filename {
                Some(file) => format!("{name}; filename=\"{file}\""),
                None => name,
            }
        });
        let mut head = format!("--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n");
        if let Some(content_type) = &part.content_type {
            head += &format!("Content-Type: {content_type}\r\n");
        }
        body.extend(head.bytes());
        body.extend(b"\r\n");
        body.extend(part.bytes());
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

impl Part {
    /// The bytes: of a text, of a file that is there, or others that are as long.
    fn bytes(&self) -> Vec<u8> {
        match &self.value {
            Some(text) => text.clone().into_bytes(),
            None => FILES
                .get(&self.sha256)
                .cloned()
                .unwrap_or_else(|| self.sha256.bytes().cycle().take(self.length).collect()),
        }
    }
}
