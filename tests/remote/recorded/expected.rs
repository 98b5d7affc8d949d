//! The expected result of a recorded response.

use serde_json::{Value, json};
use tower_media::{Error, ErrorKind, MediaId, Result, media::SearchPage};

use crate::wire::Answer;

pub fn kind<T>(result: &Result<T>) -> Option<ErrorKind> {
    result.as_ref().err().map(Error::kind)
}

/// The error kind of a response, if it is a failure.
pub fn failure(answer: &Answer, id: Option<&MediaId>) -> Option<ErrorKind> {
    if answer.closed {
        return Some(ErrorKind::Unavailable);
    }
    if answer.silent {
        return Some(ErrorKind::Timeout);
    }
    let is_uuid = |id: &MediaId| uuid::Uuid::parse_str(id.as_str()).is_ok();
    match answer.status {
        200 | 201 => None,
        404 => Some(ErrorKind::NotFound),
        // Files that are not images have no renditions.
        400 => Some(ErrorKind::Unsupported),
        413 => Some(ErrorKind::TooLarge),
        // The service fails on ids that are not UUIDs.
        500 if !id.is_none_or(is_uuid) => Some(ErrorKind::NotFound),
        500 => Some(ErrorKind::Unavailable),
        status => panic!("no expectation for {status}"),
    }
}

/// The error kind of an upload, which depends on the reason in the body.
pub fn upload_failure(answer: &Answer) -> Option<ErrorKind> {
    let says = |reason: &str| answer.text.as_ref().is_some_and(|text| text.contains(reason));
    match answer.status {
        400 if says("File too large") => Some(ErrorKind::TooLarge),
        400 => Some(ErrorKind::InvalidInput),
        500 if says("HEIC conversion failed") => Some(ErrorKind::Failed),
        _ => failure(answer, None),
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(answer.text.as_ref().unwrap()).unwrap()
}

/// The record in a response, in this crate's JSON.
pub fn record(answer: &Answer) -> Value {
    ours(json(answer))
}

fn ours(mut record: Value) -> Value {
    let fields = record.as_object_mut().unwrap();
    // An absent name is left out, like other absent fields.
    if fields["originalName"].is_null() {
        fields.remove("originalName");
    }
    if fields["status"] == "uploading" {
        fields["status"] = "processing".into();
    }
    // Old rows have one dimension only, which is ignored.
    let known = |side| fields.get("metadata").is_some_and(|metadata| metadata.get(side).is_some());
    if !known("width") || !known("height") {
        fields.remove("metadata");
    }
    record
}

pub fn page(page: &SearchPage) -> Value {
    let items: Vec<Value> =
        page.items.iter().map(|media| serde_json::to_value(media.for_owner()).unwrap()).collect();
    json!({ "items": items, "total": page.total, "hasMore": page.has_more })
}

pub fn list(answer: &Answer) -> Value {
    let mut list = json(answer);
    for item in list["items"].as_array_mut().unwrap() {
        *item = ours(item.take());
    }
    list
}

/// The id of each row of a list, repetitions included.
pub fn owned_ids(answer: &Answer) -> Vec<String> {
    let rows = json(answer);
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}
