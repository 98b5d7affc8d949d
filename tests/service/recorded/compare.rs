//! What of an answer differs from the recorded one.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::HeaderMap;
use serde_json::Value;

use super::{
    Known,
    exchange::{Answer, Exchange, Picture},
};

/// One thing that is not as it was.
#[derive(Debug, Clone)]
pub struct Difference {
    pub topic: &'static str,
    pub seq: usize,
    pub name: String,
    pub method: String,
    pub path: String,
    pub query: String,
    /// `status`, `type`, `bytes`, `picture`, or where in the JSON.
    pub field: String,
    pub was: String,
    pub is: String,
}

/// What we answered.
pub struct Ours {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Compares status, type and body, and of JSON every field. Headers that say how an answer is sent are
/// no part of the protocol.
pub fn compare(
    topic: &'static str,
    exchange: &Exchange,
    was: &Answer,
    is: &Ours,
    known: &Known,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |field: &str, was: String, is: String| {
        if was != is {
            found.push(Difference {
                topic,
                seq: exchange.seq,
                name: exchange.name.clone(),
                method: exchange.request.method.clone(),
                path: exchange.request.path.clone(),
                query: exchange.request.query.clone().unwrap_or_default(),
                field: field.to_owned(),
                was,
                is,
            });
        }
    };
    differ("status", was.status.to_string(), is.status.to_string());
    if was.status != is.status {
        return found;
    }
    let content_type = is.headers.get("content-type").map(|value| value.to_str().unwrap());
    differ(
        "type",
        was.content_type.clone().unwrap_or_default(),
        content_type.unwrap_or_default().to_owned(),
    );
    if exchange.request.method == "HEAD" {
        let length = is.headers.get("content-length").map(|value| value.to_str().unwrap());
        differ("length", was.length.to_string(), length.unwrap_or("0").to_owned());
        return found;
    }
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    let ours = json(&String::from_utf8_lossy(&is.body));
    match (was.text.as_deref().and_then(json), ours) {
        (Some(was), Some(is)) => {
            let (was, is) = (flat(&known.translate_json(was)), flat(&is));
            let fields: BTreeSet<_> = was.keys().chain(is.keys()).collect();
            for field in fields {
                // What one of two lists lacks is told by their order.
                let item = field.split_inclusive(']').next().filter(|item| item.ends_with(']'));
                let lists = |all: &BTreeMap<String, String>| {
                    item.is_none_or(|item| all.contains_key(&format!("{item}.id")))
                };
                if lists(&was) && lists(&is) {
                    let text = |all: &BTreeMap<_, String>| all.get(field).cloned();
                    differ(field, text(&was).unwrap_or_default(), text(&is).unwrap_or_default());
                }
            }
        }
        _ => match (&exchange.picture, picture(&is.body)) {
            // Coded anew; a quality means something else to another encoder.
            (Some(was), Some(is)) if exchange.request.path.contains("/transform") => {
                differ("picture", shown(was), nearly(&is, was));
            }
            (Some(was), Some(is)) if content_type == Some("image/webp") => {
                differ("picture", shown(was), nearly(&is, was));
            }
            _ => {
                let length = was.text.as_ref().map_or(was.length, String::len);
                differ("bytes", length.to_string(), is.body.len().to_string());
            }
        },
    }
    found
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

/// JSON as paths and values. Records in a list are told apart by their ids, so that their order is a
/// field of its own.
fn flat(json: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    put(&mut all, "", json);
    all
}

fn put(all: &mut BTreeMap<String, String>, path: &str, json: &Value) {
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
        // When it was made is no part of what it is.
        Value::String(_) if path.ends_with("createdAt") || path == "timestamp" => {
            all.insert(path.to_owned(), "a date".to_owned());
        }
        value => {
            all.insert(path.to_owned(), value.to_string());
        }
    }
}
