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
use mime::Mime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    error::{Error, ErrorKind},
    media::{Download, is_raster_image},
    util::byte_stream::with_exact_len,
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
    set(header::CONTENT_TYPE, inert(download.content_type()).to_string());
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

/// The type under which bytes are delivered: their own if no browser does anything with it but show or
/// save it, else that of unknown bytes.
///
/// `attachment` and a sandbox keep a document from running, but not `<script src>` and `<link>` of a page
/// of the same origin: those go by the type alone, and it may be the word of whoever uploaded. So types
/// are listed that are let through, and not those that are known to be dangerous.
fn inert(content_type: &str) -> Mime {
    const DOCUMENTS: [&str; 15] = [
        "text/plain",
        "text/csv",
        "text/markdown",
        "text/calendar",
        "text/vcard",
        "application/json",
        "application/pdf",
        "application/rtf",
        "application/epub+zip",
        "application/zip",
        "application/gzip",
        "application/x-tar",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
    ];
    const OFFICE: [&str; 2] =
        ["application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument."];
    // A browser may take what is no type for a lack of one, and guess.
    let Ok(mime) = content_type.parse::<Mime>() else { return mime::APPLICATION_OCTET_STREAM };
    let essence = mime.essence_str().to_ascii_lowercase();
    // Every type that ends so is a document of XML to a browser.
    let is_xml = essence.ends_with("+xml");
    let is_inert = is_raster_image(&essence)
        || matches!(mime.type_(), mime::AUDIO | mime::VIDEO | mime::FONT)
        || DOCUMENTS.contains(&&*essence)
        || OFFICE.iter().any(|office| essence.starts_with(office));
    if is_inert && !is_xml { mime } else { mime::APPLICATION_OCTET_STREAM }
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

impl Download {
    /// Returns the safe headers of a response with these bytes (promise P8), for a response that is not made
    /// from the download itself: a type that no browser acts on, `attachment` except for raster images, and
    /// the validators.
    pub fn response_headers(&self) -> HeaderMap {
        headers_of(self)
    }
}

/// Responds with the URL that delivers the bytes. Not stored, because the URL expires, and because the same
/// browser may belong to another owner later.
fn redirect_response(url: &str) -> Response {
    let Ok(url) = HeaderValue::try_from(url) else {
        return Error::new(ErrorKind::Internal, "the URL of a redirect is not valid")
            .into_response();
    };
    let mut headers = HeaderMap::new();
    make_safe(&mut headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::LOCATION, url);
    (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
}

impl IntoResponse for Download {
    /// 200 with the whole or 206 with a part. What breaks off half way breaks the connection off, so
    /// that the client knows.
    ///
    /// The type is the download's own only if no browser does more with it than show or save the bytes;
    /// HTML, XML, scripts and styles are `application/octet-stream` (promise P8).
    ///
    /// `Cache-Control` is `private, no-cache`, for whether somebody may have it can change; a route that
    /// knows better replaces it. Conditions and ranges of the request are the route's to look at.
    fn into_response(self) -> Response {
        if let Some(url) = self.redirect() {
            return redirect_response(url);
        }
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
            Some(length) => with_exact_len(length, self.into_stream(), || {
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

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn p08_only_types_that_no_browser_acts_on_are_let_through() {
        for (content_type, delivered) in [
            ("image/png", "image/png"),
            ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
            ("application/pdf", "application/pdf"),
            ("video/mp4", "video/mp4"),
            ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
            ("text/html", "application/octet-stream"),
            ("TEXT/HTML; charset=utf-8", "application/octet-stream"),
            ("application/xhtml+xml", "application/octet-stream"),
            ("image/svg+xml", "application/octet-stream"),
            ("video/anything+xml", "application/octet-stream"),
            ("video/Anything+XML", "application/octet-stream"),
            ("application/vnd.oasis.opendocument.text+xml", "application/octet-stream"),
            ("text/javascript", "application/octet-stream"),
            ("text/jscript", "application/octet-stream"),
            ("application/x-ecmascript", "application/octet-stream"),
            ("application/wasm", "application/octet-stream"),
            ("text/css", "application/octet-stream"),
            ("text/xsl", "application/octet-stream"),
            ("multipart/x-mixed-replace", "application/octet-stream"),
            ("message/rfc822", "application/octet-stream"),
            ("application/signed-exchange;v=b3", "application/octet-stream"),
            ("text/plain, text/html", "application/octet-stream"),
            ("text/plain\r\nx: y", "application/octet-stream"),
            ("nonsense", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(inert(content_type).to_string(), delivered, "{content_type}");
        }
    }
}
