//! Ranges, validators and content encodings of downloads.

use std::time::{Duration, UNIX_EPOCH};

use tower_media::{
    ErrorKind, Rendition, Result,
    backend::MediaBackend as _,
    media::{ByteRange, Download, DownloadOptions},
};

use super::{http, id, patient, status, within};
use crate::raw::{Raw, Script};

fn part_of(range: impl Into<ByteRange>) -> DownloadOptions {
    DownloadOptions::new(Rendition::Original).with_range(range)
}

async fn download(server: &Raw, options: impl Into<DownloadOptions>) -> Result<Download> {
    within(patient(server).build().unwrap().download(&id(), &options.into())).await
}

fn says(status: &str, headers: &str, body: &str) -> Raw {
    let headers = format!("Content-Type: image/png\r\n{headers}");
    Raw::start(Script::says(http(status, &headers, body)))
}

#[tokio::test]
async fn p13_range_is_forwarded_and_its_part_delivered() {
    for (range, sent, said) in [
        (ByteRange::from(1..=3), "range: bytes=1-3\r\n", "bytes 1-3/10"),
        (ByteRange::from(7..), "range: bytes=7-\r\n", "bytes 7-9/10"),
        (ByteRange::from(7..=99), "range: bytes=7-99\r\n", "bytes 7-9/10"),
        (ByteRange::Suffix(3), "range: bytes=-3\r\n", "bytes 7-9/10"),
    ] {
        let server = says("206 Partial Content", &format!("Content-Range: {said}\r\n"), "abc");
        let part = download(&server, part_of(range)).await.unwrap();
        assert_eq!(part.part().unwrap().to_string(), said);
        assert_eq!((part.length(), part.accepts_ranges()), (Some(3), true));
        assert_eq!(within(part.into_bytes(10)).await.unwrap(), "abc");
        assert!(server.heads().contains(sent), "{}", server.heads());
    }
    let server = says("200 OK", "", "whole");
    assert!(download(&server, Rendition::Original).await.is_ok());
    assert!(!server.heads().contains("range:"), "{}", server.heads());
}

#[tokio::test]
async fn p13_the_whole_is_accepted_for_a_range() {
    let server = says("200 OK", "Content-Range: bytes 1-3/10\r\n", "0123456789");
    let whole = download(&server, part_of(1..=3)).await.unwrap();
    assert_eq!((whole.part(), whole.length(), whole.accepts_ranges()), (None, Some(10), false));
    assert_eq!(within(whole.into_bytes(10)).await.unwrap(), "0123456789");
}

#[tokio::test]
async fn p13_another_range_than_requested_is_unexpected() {
    for headers in [
        "",
        "Content-Range: bytes 0-2/10\r\n",
        "Content-Range: bytes 1-2/10\r\n",
        "Content-Range: bytes 1-4/10\r\n",
        "Content-Range: bytes 1-3/*\r\n",
        "Content-Range: bytes 1-3/2\r\n",
        "Content-Range: bytes 1-3/99999999999999999999\r\n",
        "Content-Range: bytes */10\r\n",
        "Content-Range: bytes +1-3/10\r\n",
        "Content-Range: lines 1-3/10\r\n",
        "Content-Range: bytes 1-3/10\r\nContent-Range: bytes 0-2/10\r\nX: ",
    ] {
        let last = headers.ends_with("X: ");
        let server = says("206 Partial Content", &headers.replace("X: ", ""), "abc");
        match download(&server, part_of(1..=3)).await {
            // Of two headers, the first one counts.
            Ok(part) => assert!(last && part.part().unwrap().first() == 1, "{headers}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unexpected, "{headers}"),
        }
    }
    // A range of another length than declared, and a range that was not requested.
    let server = says("206 Partial Content", "Content-Range: bytes 1-3/10\r\n", "abcd");
    let error = download(&server, part_of(1..=3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    let server = says("206 Partial Content", "Content-Range: bytes 0-2/3\r\n", "abc");
    let error = download(&server, Rendition::Original).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
}

#[tokio::test]
async fn p13_chunked_part_must_have_the_length_of_its_range() {
    for (chunks, is_whole) in [
        ("3\r\nabc\r\n0\r\n\r\n", true),
        ("2\r\nab\r\n0\r\n\r\n", false),
        ("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", false),
    ] {
        let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-3/10\r\n";
        let text = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}");
        let server = Raw::start(Script::says(text));
        let part = download(&server, part_of(1..=3)).await.unwrap();
        let read = within(part.into_bytes(10)).await;
        let kind = read.err().map(|error| error.kind());
        assert_eq!(kind, (!is_whole).then_some(ErrorKind::Integrity), "{chunks}");
    }
}

#[tokio::test]
async fn p13_unsatisfiable_range_names_the_complete_length() {
    for (header, length) in [
        ("Content-Range: bytes */10\r\n", Some(10)),
        ("Content-Range: bytes */x\r\n", None),
        ("", None),
    ] {
        let server = says("416 Range Not Satisfiable", header, "");
        let error = download(&server, part_of(10..)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RangeNotSatisfiable);
        assert_eq!(error.complete_length(), length, "{header}");
        // A 416 to a request without a range is unexpected.
        let error = download(&server, Rendition::Original).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unexpected);
    }
}

#[tokio::test]
async fn etag_and_last_modified_are_passed_on() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let headers = format!("ETag: W/\"v1\"\r\nLast-Modified: {date}\r\nAccept-Ranges: bytes\r\n");
    let download_of = async |headers: &str| {
        download(&says("200 OK", headers, "abc"), Rendition::Original).await.unwrap()
    };
    let passed = download_of(&headers).await;
    assert_eq!(passed.etag().as_deref(), Some("W/\"v1\""));
    let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
    assert_eq!((passed.last_modified(), passed.accepts_ranges()), (Some(time), true));
    for headers in ["", "ETag: v1\r\nLast-Modified: today\r\nAccept-Ranges: none\r\n"] {
        let none = download_of(headers).await;
        assert_eq!((none.etag(), none.last_modified()), (None, None));
        assert!(!none.accepts_ranges());
    }
}

#[tokio::test]
async fn r06_unrequested_content_encoding_is_unexpected() {
    let server = says("200 OK", "Content-Encoding: gzip\r\n", "abc");
    let error = download(&server, Rendition::Original).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    assert!(server.heads().contains("accept-encoding: identity\r\n"), "{}", server.heads());
    let server = says("200 OK", "Content-Encoding: identity\r\n", "abc");
    assert!(download(&server, Rendition::Original).await.is_ok());
}

#[tokio::test]
async fn r06_download_with_neither_200_nor_206_is_unexpected() {
    for text in ["204 No Content", "202 Accepted", "205 Reset Content"] {
        let server = Raw::start(status(text));
        let error = download(&server, Rendition::Original).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unexpected, "{text}");
    }
}
