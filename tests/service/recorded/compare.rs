//! Comparison of a response with the recorded one.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::HeaderMap;
use serde_json::Value;

use super::{
    difference::{Compared, Difference},
    exchange::{Answer, Exchange, Picture},
    known::Known,
    prometheus,
};

/// Our response.
pub struct Ours {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Compares status, type and body, of JSON every field. Headers of the transport are not compared.
pub fn compare(exchange: &Exchange, was: &Answer, is: &Ours, known: &Known) -> Vec<Difference> {
    let mut found = Comparison { exchange, found: Vec::new() };
    let header = |name: &str| is.headers.get(name).map(|value| value.to_str().unwrap());
    let status = |status: u16| if status == 0 { "none".to_owned() } else { status.to_string() };
    let allows = header("access-control-allow-origin");
    found.differ("allows", was.allows.as_deref().unwrap_or_default(), allows.unwrap_or_default());
    found.differ("status", &status(was.status), &status(is.status));
    if was.status != is.status {
        return found.found;
    }
    let content_type = header("content-type").unwrap_or_default();
    // The headers of requests at the same moment were not recorded.
    if exchange.answers().len() == 1 {
        found.differ("type", was.content_type.as_deref().unwrap_or_default(), content_type);
    }
    if exchange.request.method == "HEAD" {
        let length = header("content-length").unwrap_or("0");
        found.differ("length", &was.length.to_string(), length);
        return found.found;
    }
    let text = String::from_utf8_lossy(&is.body);
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (was.text.as_deref(), json(&text)) {
        (Some(was), Some(is)) if json(was).is_some() => {
            found.json(&known.translate_json(json(was).unwrap()), &is);
        }
        (Some(was), _) if was.starts_with("# TYPE ") => {
            found.fields(&prometheus::flat(was), &prometheus::flat(&text), |_| None);
        }
        _ => found.bytes(was, &is.body, content_type),
    }
    found.found
}

struct Comparison<'a> {
    exchange: &'a Exchange,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn differ(&mut self, field: &str, was: &str, is: &str) {
        if was != is {
            self.found.push(Difference {
                seq: self.exchange.seq,
                name: self.exchange.name.clone(),
                method: self.exchange.request.method.clone(),
                path: self.exchange.request.path(),
                query: self.exchange.request.query.clone().unwrap_or_default(),
                field: field.to_owned(),
                was: was.to_owned(),
                is: is.to_owned(),
                ..Difference::default()
            });
        }
    }

    fn json(&mut self, was: &Value, is: &Value) {
        let (was, is) = (flat(was), flat(is));
        self.fields(&was, &is, |field| {
            let of = field.rfind("].").map_or("", |end| &field[..end + 2]);
            let text = |all: &Fields, key: &str| {
                let quoted = all.get(&format!("{of}{key}")).cloned().unwrap_or_default();
                quoted.trim_matches('"').to_owned()
            };
            was.contains_key(&format!("{of}hash")).then(|| Compared {
                file_name: text(&is, "originalName"),
                mime_type: text(&is, "mimeType"),
                was: text(&was, "status"),
            })
        });
    }

    /// Compares field by field. A record that only one of two lists has appears as a difference of the order.
    fn fields(&mut self, was: &Fields, is: &Fields, record: impl Fn(&str) -> Option<Compared>) {
        let fields: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for field in fields {
            let item = field.split_inclusive(']').next().filter(|item| item.ends_with(']'));
            let lists =
                |all: &Fields| item.is_none_or(|item| all.contains_key(&format!("{item}.id")));
            if lists(was) && lists(is) {
                let text = |all: &Fields| all.get(field).cloned().unwrap_or_default();
                let before = self.found.len();
                self.differ(field, &text(was), &text(is));
                self.found[before..].iter_mut().for_each(|found| found.record = record(field));
            }
        }
    }

    fn bytes(&mut self, was: &Answer, is: &[u8], content_type: &str) {
        let is_made = self.exchange.request.path().contains("/transform");
        match (&self.exchange.picture, picture(is)) {
            // Re-encoded: another encoder interprets the quality differently.
            (Some(was), Some(is)) if is_made || content_type == "image/webp" => {
                self.differ("picture", &shown(was), &nearly(&is, was));
            }
            _ => {
                let length = was.text.as_ref().map_or(was.length, String::len);
                self.differ("bytes", &length.to_string(), &is.len().to_string());
            }
        }
    }
}

fn shown(picture: &Picture) -> String {
    format!("{} {}x{}", picture.format, picture.width, picture.height)
}

/// What a picture shows, taken for the recorded one where a side differs by one pixel: the recorded
/// service rounded halves either way.
fn nearly(is: &Picture, was: &Picture) -> String {
    let near = is.width.abs_diff(was.width) <= 1 && is.height.abs_diff(was.height) <= 1;
    if near && is.format == was.format { shown(was) } else { shown(is) }
}

fn picture(bytes: &[u8]) -> Option<Picture> {
    let format = match imagesize::image_type(bytes).ok()? {
        imagesize::ImageType::Webp => "WEBP",
        imagesize::ImageType::Jpeg => "JPEG",
        imagesize::ImageType::Png => "PNG",
        imagesize::ImageType::Heif(_) => "AVIF",
        imagesize::ImageType::Gif => "GIF",
        imagesize::ImageType::Bmp => "BMP",
        _ => return None,
    };
    let size = imagesize::blob_size(bytes).ok()?;
    Some(Picture { format: format.to_owned(), width: size.width, height: size.height })
}

/// Paths and values.
pub type Fields = BTreeMap<String, String>;

/// JSON as paths and values. Records in a list are told apart by their ids, so that their order is a
/// field of its own.
fn flat(json: &Value) -> Fields {
    let mut all = Fields::new();
    put(&mut all, "", json);
    all
}

fn put(all: &mut Fields, path: &str, json: &Value) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match json {
        Value::Object(fields) => {
            for (key, value) in fields {
                put(all, &below(key), value);
            }
        }
        Value::Array(items) => {
            let ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
            all.insert(below("order"), ids.join(" "));
            for item in items {
                put(all, &below(&format!("[{}]", item["id"].as_str().unwrap())), item);
            }
        }
        // Dates always differ.
        Value::String(_) if path.ends_with("createdAt") || path == "timestamp" => {
            all.insert(path.to_owned(), "a date".to_owned());
        }
        value => {
            all.insert(path.to_owned(), value.to_string());
        }
    }
}
