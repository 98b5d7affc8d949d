//! Media as responses, over a real socket.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{Router, body::to_bytes, http::HeaderMap, response::IntoResponse, routing::get};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tower_media::{
    Error, ErrorKind, MediaState, Rendition, Result, Upload,
    media::{ContentHash, Download, DownloadOptions, Exif},
};

use super::support::owner;

const PNG: &[u8] = include_bytes!("../fixtures/images/one-pixel.png");

/// Serves the responses of `answer`, and returns the URL.
async fn serve<A, R>(answer: impl Fn() -> A + Clone + Send + Sync + 'static) -> String
where
    A: Future<Output = R> + Send + 'static,
    R: IntoResponse + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().route("/", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn answer_to<R: IntoResponse + Send + 'static>(
    answer: impl Fn() -> R + Clone + Send + Sync + 'static,
) -> reqwest::Response {
    let url = serve(move || std::future::ready(answer())).await;
    reqwest::get(url).await.unwrap()
}

/// Returns the response to a download of an image that was uploaded as `cat.png`.
async fn cat(options: DownloadOptions) -> reqwest::Response {
    let media = MediaState::in_memory();
    let upload = Upload::new(PNG).file_name("cat.png").scope("me");
    let id = media.upload(&owner("ana"), upload).await.unwrap().id;
    let url = serve(move || {
        let (media, id) = (media.clone(), id.clone());
        async move { media.download(&id, options).await }
    });
    reqwest::get(url.await).await.unwrap()
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    assert!(headers.get_all(name).iter().count() < 2, "{name} is there twice");
    headers.get(name).map(|value| value.to_str().unwrap())
}

fn is_safe(headers: &HeaderMap) {
    assert_eq!(header(headers, "x-content-type-options"), Some("nosniff"));
    assert_eq!(header(headers, "content-security-policy"), Some("default-src 'none'; sandbox"));
    assert_eq!(header(headers, "cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(header(headers, "cache-control"), Some("private, no-cache"));
}

#[tokio::test]
async fn p08_the_whole_is_200_with_safe_headers() {
    let response = cat(Rendition::Original.into()).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    is_safe(&headers);
    assert_eq!(header(&headers, "content-type"), Some("image/png"));
    assert_eq!(header(&headers, "content-length"), Some(PNG.len().to_string().as_str()));
    assert_eq!(header(&headers, "content-disposition"), Some("inline; filename=\"cat.png\""));
    assert_eq!(header(&headers, "accept-ranges"), Some("bytes"));
    assert_eq!(header(&headers, "content-range"), None);
    let etag = format!("\"{}\"", ContentHash::of(PNG));
    assert_eq!(header(&headers, "etag"), Some(etag.as_str()));
    assert!(header(&headers, "last-modified").unwrap().ends_with(" GMT"));
    assert_eq!(response.bytes().await.unwrap(), PNG);
}

#[tokio::test]
async fn p08_a_range_is_206_with_content_range() {
    let response = cat(DownloadOptions::new(Rendition::Original).with_range(1..=3)).await;
    assert_eq!(response.status(), 206);
    let headers = response.headers().clone();
    is_safe(&headers);
    assert_eq!(header(&headers, "content-length"), Some("3"));
    let range = format!("bytes 1-3/{}", PNG.len());
    assert_eq!(header(&headers, "content-range"), Some(range.as_str()));
    // The validators of the whole, so that clients can combine ranges (RFC 9110, section 15.3.7).
    let etag = format!("\"{}\"", ContentHash::of(PNG));
    assert_eq!(header(&headers, "etag"), Some(etag.as_str()));
    assert_eq!(response.bytes().await.unwrap(), "PNG");
}

#[tokio::test]
async fn p13_an_unsatisfiable_range_is_416_with_the_length() {
    let response = cat(DownloadOptions::new(Rendition::Original).with_range(1_000..)).await;
    assert_eq!(response.status(), 416);
    let range = format!("bytes */{}", PNG.len());
    assert_eq!(header(response.headers(), "content-range"), Some(range.as_str()));
}

#[tokio::test]
async fn p08_only_raster_images_are_inline() {
    for (content_type, served, kind) in [
        ("image/webp", "image/webp", "inline"),
        ("image/PNG; charset=x", "image/png; charset=x", "inline"),
        ("text/html", "application/octet-stream", "attachment"),
        ("image/svg+xml", "application/octet-stream", "attachment"),
        ("Image/SVG+XML; charset=utf-8", "application/octet-stream", "attachment"),
        ("application/xhtml+xml", "application/octet-stream", "attachment"),
        ("application/pdf", "application/pdf", "attachment"),
        ("text/javascript", "application/octet-stream", "attachment"),
        ("image", "application/octet-stream", "attachment"),
        ("", "application/octet-stream", "attachment"),
        ("text/html\r\nx: y", "application/octet-stream", "attachment"),
    ] {
        let response = answer_to(move || Download::from_bytes(content_type, Bytes::new())).await;
        let headers = response.headers();
        is_safe(headers);
        assert_eq!(header(headers, "content-type"), Some(served), "{content_type:?}");
        assert_eq!(header(headers, "content-disposition"), Some(kind), "{content_type:?}");
    }
}

#[tokio::test]
async fn p08_file_names_are_encoded_in_the_header() {
    for (name, sent) in [
        ("report.txt", r#"filename="report.txt""#),
        ("a;b=c, d.txt", r#"filename="a;b=c, d.txt""#),
        (
            r#"a".html; x="y"#,
            r#"filename="a_.html; x=_y"; filename*=UTF-8''a%22.html%3B%20x%3D%22y"#,
        ),
        (r"C:\dir\a%20b.txt", r#"filename="a_20b.txt"; filename*=UTF-8''a%2520b.txt"#),
        ("a\r\nset-cookie: b.txt", r#"filename="aset-cookie: b.txt""#),
        ("🐈.txt", r#"filename="_.txt"; filename*=UTF-8''%F0%9F%90%88.txt"#),
        ("gr\u{f6}\u{df}e.txt", r#"filename="gr__e.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"#),
        // A homoglyph: displays as exe.txt.
        ("a\u{202e}txt.exe", r#"filename="atxt.exe""#),
        ("שלום.txt", r#"filename="____.txt"; filename*=UTF-8''%D7%A9%D7%9C%D7%95%D7%9D.txt"#),
        ("it's (1)*.txt", r#"filename="it's (1)*.txt""#),
    ] {
        let text = move || Download::from_bytes("text/plain", "hello".into()).with_file_name(name);
        let response = answer_to(text).await;
        let disposition = header(response.headers(), "content-disposition");
        assert_eq!(disposition, Some(format!("attachment; {sent}").as_str()), "{name:?}");
        assert_eq!(response.headers().get("set-cookie"), None);
        assert_eq!(response.text().await.unwrap(), "hello");
    }
    let unnamed = || Download::from_bytes("text/plain", Bytes::new()).with_file_name("../..");
    let response = answer_to(unnamed).await;
    assert_eq!(header(response.headers(), "content-disposition"), Some("attachment"));
}

#[tokio::test]
async fn p08_invalid_validators_are_left_out() {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let of = |etag: &'static str, modified: SystemTime| async move {
        answer_to(move || {
            let text = Download::from_bytes("text/plain", Bytes::new());
            text.with_etag(etag).with_last_modified(modified)
        })
        .await
    };
    for (etag, sent) in [
        ("\"v1-800\"", Some("\"v1-800\"")),
        ("W/\"v1\"", Some("W/\"v1\"")),
        ("v1", None),
        ("\"a\"b\"", None),
        ("\"a\r\nx: y\"", None),
        ("\"", None),
        ("", None),
    ] {
        let response = of(etag, UNIX_EPOCH).await;
        assert_eq!(header(response.headers(), "etag"), sent, "{etag:?}");
    }
    for (time, sent) in [
        (UNIX_EPOCH, Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        (UNIX_EPOCH - YEAR, None),
        (UNIX_EPOCH + 10_000 * YEAR, None),
    ] {
        let response = of("", time).await;
        assert_eq!(header(response.headers(), "last-modified"), sent, "{time:?}");
    }
}

#[tokio::test]
async fn p08_a_failed_stream_never_looks_complete() {
    let pieces = |broken: bool| {
        let end = broken.then(|| Err(Error::new(ErrorKind::Unavailable, "gone")));
        let pieces = ["hello", "world"].map(|piece| Ok(Bytes::from(piece)));
        stream::iter(pieces.into_iter().chain(end)).boxed()
    };
    let download = move |broken: bool, length: Option<u64>| {
        let download = Download::from_stream("text/plain", pieces(broken));
        match length {
            Some(length) => download.with_length(length),
            None => download,
        }
    };
    for (broken, length, is_whole) in [
        (false, None, true),
        (false, Some(10), true),
        (true, None, false),
        (true, Some(20), false),
        (false, Some(11), false),
        (false, Some(9), false),
    ] {
        // The response may fail with its head if the body fails immediately.
        let url = serve(move || std::future::ready(download(broken, length))).await;
        let read = async { reqwest::get(url).await?.error_for_status()?.bytes().await }.await;
        assert_eq!(read.is_ok(), is_whole, "broken: {broken}, of {length:?}: {read:?}");
    }
}

#[tokio::test]
async fn p07_only_the_owner_view_contains_the_location() {
    let media = MediaState::in_memory();
    let upload = Upload::new(PNG).file_name("cat.png").scope("me");
    let mut record = media.upload(&owner("ana"), upload).await.unwrap();
    let mut exif = Exif::default();
    exif.gps_latitude = Some("47.6603".to_owned());
    record.exif = Some(exif);

    let read = async |response: axum::response::Response| -> Result<String> {
        assert_eq!(response.headers()["content-type"], "application/json");
        let bytes = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    };
    let owners = read(record.for_owner().into_response()).await.unwrap();
    assert!(owners.contains("47.6603"), "{owners}");
    let public = read(record.into_response()).await.unwrap();
    assert!(public.contains("cat.png") && !public.contains("47.6603"), "{public}");
    assert!(!public.contains("exif"), "{public}");
}

#[tokio::test]
async fn a_redirect_is_307_and_is_not_stored() {
    let url = "https://bucket.example.org/key?signature=1";
    let page = Download::from_bytes("text/html", "<script>".into()).with_redirect(url);
    assert_eq!(page.redirect(), Some(url));
    let headers = page.response_headers();
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert_eq!(headers["content-disposition"], "attachment");
    let response = page.into_response();
    assert_eq!(response.status().as_u16(), 307);
    assert_eq!(response.headers()["location"], url);
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");

    let read = Download::from_bytes("text/plain", "bytes".into()).with_redirect(url);
    let refused = read.into_bytes(10).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let invalid = Download::from_bytes("text/plain", "bytes".into()).with_redirect("a\nb");
    assert_eq!(invalid.into_response().status().as_u16(), 500);
}
