//! The recorded exchanges, and their requests.

use std::{collections::HashMap, fs, sync::LazyLock};

use axum::{
    body::Body,
    http::{Method, Request, Uri, header},
};
use serde::Deserialize;
use tower_media::media::ContentHash;

use super::known::Known;

/// One line of a recording.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    pub seq: usize,
    pub name: String,
    pub request: Asked,
    answers: Vec<Answer>,
    /// The response, if tests of clients cannot use it.
    seen: Option<Answer>,
    /// The image in the body of the response.
    pub picture: Option<Picture>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    pub method: String,
    path: String,
    pub query: Option<String>,
    #[serde(default)]
    values: HashMap<String, String>,
    form: Option<Vec<Part>>,
    /// The number of small fields before the other parts of the form.
    #[serde(default)]
    fields: usize,
    /// A body other than a form, one character per byte.
    body: Option<String>,
    /// The length of a body whose bytes were not recorded.
    #[serde(default)]
    length: usize,
    /// The length of a path of which only the start was recorded.
    #[serde(default)]
    path_length: usize,
}

#[derive(Debug, Clone, Deserialize)]
struct Part {
    name: String,
    value: Option<String>,
    filename: Option<String>,
    content_type: Option<String>,
    /// The whole header, if it was written by hand.
    disposition: Option<String>,
    #[serde(default)]
    length: usize,
    #[serde(default)]
    sha256: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Answer {
    /// 0 without a response.
    #[serde(default)]
    pub status: u16,
    #[serde(rename = "type")]
    pub content_type: Option<String>,
    pub text: Option<String>,
    #[serde(default)]
    pub length: usize,
    /// `Access-Control-Allow-Origin`.
    pub allows: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Picture {
    pub format: String,
    pub width: usize,
    pub height: usize,
}

/// The files of the recordings by hash.
static FILES: LazyLock<HashMap<String, Vec<u8>>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.is_file()).map(|path| fs::read(path).unwrap());
    files.map(|bytes| (ContentHash::of(&bytes).to_string(), bytes)).collect()
});

pub fn recording(topic: &str) -> Vec<Exchange> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire");
    let text = fs::read_to_string(format!("{folder}/{topic}.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Exchange {
    /// The recorded responses: several if the exchange has simultaneous requests.
    pub fn answers(&self) -> Vec<Answer> {
        match &self.answers[..] {
            [] => vec![self.seen.clone().unwrap_or_default()],
            answers => answers.to_vec(),
        }
    }

    /// The same request with our ids, hashes and dates, or `None` if it cannot be built.
    pub fn request(&self, known: &Known, key: &str) -> Option<Request<Body>> {
        let Asked { method, query, values, form, body, length, .. } = &self.request;
        let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let target = known.translate(&format!("{}{query}", self.request.path()));
        // Hyper refuses an invalid URI before it reaches the routes.
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
            let body = multipart(self.request.fields, parts);
            return request.header(header::CONTENT_LENGTH, body.len()).body(body.into()).ok();
        }
        if *length > 0 {
            return request.body(upload_of(*length).into()).ok();
        }
        let body = body.iter().flat_map(|text| text.chars()).map(|c| c as u8);
        request.body(body.collect::<Vec<u8>>().into()).ok()
    }

    /// The hashes of the uploaded file as recorded and as sent.
    pub fn file_hashes(&self) -> Option<(String, String)> {
        let parts = self.request.form.as_ref()?;
        let file = parts.iter().rev().find(|part| part.name == "file" && part.value.is_none())?;
        Some((file.sha256.clone(), ContentHash::of(&file.bytes()).to_string()))
    }
}

impl Asked {
    pub fn path(&self) -> String {
        let rest = self.path_length.saturating_sub(self.path.len());
        let end = self.path.chars().last();
        self.path.chars().chain(end.into_iter().cycle().take(rest)).collect()
    }
}

const BOUNDARY: &str = "recorded-boundary";

/// A form of `length` bytes with one file, and the boundary of the recordings.
fn upload_of(length: usize) -> Vec<u8> {
    const BOUNDARY: &str = "----wirecaptureboundary7d93b1";
    let disposition = "form-data; name=\"file\"; filename=\"big.bin\"";
    let mut body =
        format!("--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n").into_bytes();
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    body.resize(length - end.len(), b'x');
    body.extend(end.bytes());
    body
}

fn multipart(fields: usize, parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for n in 0..fields {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"f{n}\"");
        body.extend(format!("{head}\r\n\r\nx\r\n").bytes());
    }
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
    fn bytes(&self) -> Vec<u8> {
        match &self.value {
            Some(text) => text.clone().into_bytes(),
            None => file(self.filename.as_deref().unwrap_or_default(), &self.sha256, self.length),
        }
    }
}

/// Images that are not among the fixtures: the start of the name, width and height.
const PAINTED: [(&str, u16, u16); 2] = [("big", 4000, 3000), ("o", 160, 120)];

/// The bytes of a recorded file: the fixture with this hash, or else other bytes of the same length, an image in
/// place of an image.
pub fn file(name: &str, sha256: &str, length: usize) -> Vec<u8> {
    if let Some(bytes) = FILES.get(sha256) {
        return bytes.clone();
    }
    let number = |kind: &str| name.strip_prefix(kind)?.strip_suffix(".jpg")?.parse::<u8>().ok();
    let painted = PAINTED.iter().find(|(kind, ..)| number(kind).is_some());
    let mut bytes = painted.map(|(_, width, height)| painting(*width, *height)).unwrap_or_default();
    let rest = length.saturating_sub(bytes.len());
    // Different hashes get different bytes.
    let filler = [sha256.as_bytes(), b" and so on "].concat();
    bytes.extend(filler.iter().cycle().take(rest));
    assert_eq!(bytes.len(), length, "{name}");
    bytes
}

fn painting(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let gray = vec![128; usize::from(width) * usize::from(height)];
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 50);
    encoder.encode(&gray, width, height, jpeg_encoder::ColorType::Luma).unwrap();
    jpeg
}
