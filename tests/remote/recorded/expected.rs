//! What a recorded answer comes to.

use serde_json::{Value, json};
use tower_media::{Error, ErrorKind, MediaId, Result, media::SearchPage};

use crate::wire::Answer;

pub fn kind<T>(result: &Result<T>) -> Option<ErrorKind> {
    result.as_ref().err().map(Error::kind)
}

/// What an answer fails with, if it is a failure.
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
        // What is no picture has no renditions.
        400 => Some(ErrorKind::Unsupported),
        413 => Some(ErrorKind::TooLarge),
        // The service looks up what is no UUID, and breaks.
        500 if !id.is_none_or(is_uuid) => Some(ErrorKind::NotFound),
        500 => Some(ErrorKind::Unavailable),
        status => panic!("no expectation for {status}"),
    }
}

/// What an upload fails with: the service gives reasons for some.
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

/// The record in an answer, as ours says it.
pub fn record(answer: &Answer) -> Value {
    ours(json(answer))
}

fn ours(mut record: Value) -> Value {
    let fields = record.as_object_mut().unwrap();
    // A name that is none is left out, like all that is unknown.
    if fields["originalName"].is_null() {
        fields.remove("originalName");
    }
    if fields["status"] == "uploading" {
        fields["status"] = "processing".into();
    }
    // The one side without the other, as rows of an older version have it, is no size.
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

/// The id in each row of a list, repeats included.
pub fn owned_ids(answer: &Answer) -> Vec<String> {
    let rows = json(answer);
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}
