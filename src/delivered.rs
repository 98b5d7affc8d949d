//! A stranger's bytes as a response: the headers that keep a browser from running them (promise P8).

use std::error::Error as StdError;

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{self, HeaderName},
    },
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    download::Download,
    error::{Error, ErrorKind},
    pieces::exactly,
    raster::is_raster_image,
};

/// What every answer carries that has to do with a stranger's bytes, whatever its status: the type is
/// what it says, and nothing in it runs or is embedded elsewhere.
const SAFE: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What of a file name need not be encoded in a header: `attr-char` of RFC 8187, section 3.2.1.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Adds what every answer carries that has to do with a stranger's bytes.
pub(crate) fn make_safe(headers: &mut HeaderMap) {
    for (name, value) in SAFE {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The headers of a download, but for those that say how much of it comes: what the answers to `GET`,
/// `HEAD` and a condition that is not met have in common.
pub(crate) fn headers_of(download: &Download) -> HeaderMap {
    let mut headers = HeaderMap::new();
    make_safe(&mut headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    let mut set = |name, value: String| {
        // What comes from elsewhere may be no header's value; it is left out then.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    // A browser may take what is no type for a lack of one, and guess.
    let content_type = download.content_type().parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
    set(header::CONTENT_TYPE, content_type.to_string());
    set(header::CONTENT_DISPOSITION, disposition(download));
    if let Some(etag) = download.etag() {
        set(header::ETAG, etag);
    }
    // Before 1970 there is no such date, and the crate that writes it panics past the year 9999.
    if let Some(time) = download.last_modified().filter(|time| is_http_date(*time)) {
        set(header::LAST_MODIFIED, httpdate::fmt_http_date(time));
    }
    if download.accepts_ranges() {
        set(header::ACCEPT_RANGES, "bytes".to_owned());
    }
    headers
}

/// Whether a time can be written as a date of HTTP.
pub(crate) fn is_http_date(time: std::time::SystemTime) -> bool {
    const YEAR_10000: u64 = 253_402_300_800;
    let since = time.duration_since(std::time::UNIX_EPOCH);
    since.is_ok_and(|since| since.as_secs() < YEAR_10000)
}

/// Whether a browser shows the bytes or saves them, and under which name (RFC 6266).
fn disposition(download: &Download) -> String {
    let shown = is_raster_image(download.content_type()) && !download.is_attachment();
    let kind = if shown { "inline" } else { "attachment" };
    let Some(name) = download.file_name() else { return kind.to_owned() };
    // For clients that know ASCII only, and those that decode what they should not.
    let plain = |c: char| match c {
        '"' | '\\' | '%' => '_',
        c if c.is_ascii() => c,
        _ => '_',
    };
    let ascii: String = name.chars().map(plain).collect();
    if ascii == name {
        return format!("{kind}; filename=\"{name}\"");
    }
    let encoded = utf8_percent_encode(name, ENCODED);
    format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

impl IntoResponse for Download {
    /// 200 with the whole or 206 with a part. What breaks off half way breaks the connection off, so
    /// that the client knows.
    ///
    /// `Cache-Control` is `private, no-cache`, for whether somebody may have it can change; a route that
    /// knows better replaces it. Conditions and ranges of the request are the route's to look at.
    fn into_response(self) -> Response {
        let mut headers = headers_of(&self);
        if let Some(length) = self.length() {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        let mut status = StatusCode::OK;
        if let Some(part) = self.part() {
            status = StatusCode::PARTIAL_CONTENT;
            let range = HeaderValue::try_from(part.to_string());
            headers.insert(header::CONTENT_RANGE, range.expect("numbers are a header's value"));
        }
        // A client would take what it gets for the whole.
        let body = match self.length() {
            Some(length) => exactly(length, self.into_stream(), || {
                Error::new(ErrorKind::Integrity, "the media is not as long as its backend said")
            }),
            None => self.into_stream(),
        };
        let body = body.inspect_err(|error| {
            tracing::error!(
                error = error as &dyn StdError,
                "media broke off while it was delivered"
            );
        });
        (status, headers, Body::from_stream(body)).into_response()
    }
}
