//! Parses the headers of the tus protocol 1.0: <https://tus.io/protocols/resumable-upload>.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    checksum::Checksum,
    names::{
        METHOD_OVERRIDE, RESUMABLE, UPLOAD_CHECKSUM, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH,
        UPLOAD_METADATA, UPLOAD_OFFSET, VERSION,
    },
    rejection::TusRejection,
};

/// The extensions, as `Tus-Extension` names them.
pub(super) const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,expiration,termination,checksum";

/// The content type of a part.
const PART_TYPE: &str = "application/offset+octet-stream";

/// The greatest size of `Upload-Metadata` in bytes.
const MAX_METADATA: usize = 8 << 10;

/// Requires version 1.0.0.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), TusRejection> {
    let version = headers.get(RESUMABLE);
    if version.is_some_and(|version| version == VERSION) {
        Ok(())
    } else {
        Err(TusRejection::WrongVersion)
    }
}

/// Requires the content type of a part.
pub(super) fn check_part_type(headers: &HeaderMap) -> Result<(), TusRejection> {
    if is_part(headers) { Ok(()) } else { Err(TusRejection::NotAPart) }
}

/// Returns whether the body is a part.
pub(super) fn is_part(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(PART_TYPE.as_bytes()))
}

/// Returns the method that replaces `POST` for clients that can send no other.
pub(super) fn method_override(headers: &HeaderMap) -> Option<&str> {
    headers.get(METHOD_OVERRIDE)?.to_str().ok()
}

pub(super) fn upload_offset(headers: &HeaderMap) -> Result<u64, TusRejection> {
    number(headers, &UPLOAD_OFFSET)?.ok_or(invalid_number("Upload-Offset"))
}

pub(super) fn upload_length(headers: &HeaderMap) -> Result<Option<u64>, TusRejection> {
    number(headers, &UPLOAD_LENGTH)
}

/// Returns the length of an upload that is created; `None` if the client defers it.
pub(super) fn new_length(headers: &HeaderMap) -> Result<Option<u64>, TusRejection> {
    let deferred = headers.get(UPLOAD_DEFER_LENGTH);
    match (upload_length(headers)?, deferred) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some(value)) if value == "1" => Ok(None),
        _ => Err(TusRejection::InvalidHeader(
            "Upload-Length",
            "the length in bytes, or `Upload-Defer-Length` must be 1",
        )),
    }
}

pub(super) fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, TusRejection> {
    let Some(value) = headers.get(UPLOAD_CHECKSUM) else { return Ok(None) };
    let checksum = value.to_str().ok().and_then(Checksum::parse);
    checksum.map(Some).ok_or(TusRejection::InvalidHeader(
        "Upload-Checksum",
        "`sha1` or `sha256`, a space, and the digest in base64",
    ))
}

/// The metadata that this server understands. Other keys are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) scope: Option<String>,
}

/// Parses `Upload-Metadata`: pairs of a key and a base64 value, separated by commas.
pub(super) fn metadata(headers: &HeaderMap) -> Result<Metadata, TusRejection> {
    let mut metadata = Metadata::default();
    let Some(value) = headers.get(UPLOAD_METADATA) else { return Ok(metadata) };
    let pairs = value.to_str().ok().filter(|text| text.len() <= MAX_METADATA).and_then(pairs);
    for (key, value) in pairs.ok_or(TusRejection::InvalidHeader(
        "Upload-Metadata",
        "at most 8 KiB of keys with base64 values, separated by commas",
    ))? {
        match key {
            "filename" | "name" => metadata.file_name = Some(value),
            "filetype" | "type" => metadata.content_type = Some(value),
            "scope" => metadata.scope = Some(value),
            _ => {}
        }
    }
    Ok(metadata)
}

fn pairs(text: &str) -> Option<Vec<(&str, String)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let parsed = pairs.map(|pair| {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = BASE64_STANDARD.decode(value.trim()).ok()?;
        Some((key, String::from_utf8_lossy(&value).into_owned()))
    });
    parsed.collect()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, TusRejection> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let shown = if *name == UPLOAD_OFFSET { "Upload-Offset" } else { "Upload-Length" };
    parse_number(value).map(Some).ok_or(invalid_number(shown))
}

/// Parses a number without sign or spaces.
fn parse_number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|number| i64::try_from(*number).is_ok())
}

fn invalid_number(name: &'static str) -> TusRejection {
    TusRejection::InvalidHeader(name, "a number of bytes")
}
