//! The texts of errors: operation, attempts, elapsed time and status for operators, none of them for
//! clients.

use std::error::Error as _;

use tower_media::{Error, ErrorKind, Rendition, Upload, backend::MediaBackend as _};

use super::{GET, ana, good, hasty, id, json, patient, record, status, within};
use crate::raw::{Conn, Raw, Script};

/// The text with its elapsed time replaced by `<time>`.
fn text(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let Some((before, rest)) = text.rsplit_once("attempt") else { return text };
    let (noun, rest) = rest.split_once(", ").unwrap();
    let end = rest.find([',', ')']).unwrap();
    let (time, after) = rest.split_at(end);
    assert!(time.ends_with('s') && time.starts_with(|c: char| c.is_ascii_digit()), "{text}");
    format!("{before}attempt{noun}, <time>{after}")
}

async fn get(server: &Raw, retries: usize) -> Error {
    let remote = patient(server).retries(retries).build().unwrap();
    within(remote.get(&id())).await.unwrap_err()
}

#[tokio::test]
async fn r06_an_error_names_operation_attempts_time_and_status() {
    let responded = "the media service responded with an error";
    let details = [
        (
            "503 Service Unavailable",
            2,
            "operation `get`, 3 attempts, <time>, status 503 Service Unavailable",
        ),
        ("401 Unauthorized", 2, "operation `get`, 1 attempt, <time>, status 401 Unauthorized"),
        (
            "504 Gateway Timeout",
            0,
            "operation `get`, 1 attempt, <time>, status 504 Gateway Timeout",
        ),
    ];
    for (line, retries, details) in details {
        let error = get(&Raw::start(status(line)), retries).await;
        assert_eq!(text(&error), format!("{responded} ({details})"));
    }
}

#[tokio::test]
async fn r06_an_error_without_a_response_names_no_status() {
    let error = get(&Raw::deaf(good()), 1).await;
    let connect = "cannot connect to the media service (operation `get`, 2 attempts, <time>)";
    assert_eq!(text(&error), connect);

    let server = Raw::start(Script::after_body(async |_| std::future::pending().await));
    let error = within(hasty(&server).build().unwrap().get(&id())).await.unwrap_err();
    let timeout =
        "the media service did not respond within 500ms (operation `get`, 1 attempt, <time>)";
    assert_eq!((text(&error).as_str(), error.kind()), (timeout, ErrorKind::Timeout));
}

#[tokio::test]
async fn r06_an_error_in_a_body_names_the_call() {
    let error = get(&Raw::start(good().with(GET, Script::says(json("[1]")))), 0).await;
    let json_text = "the media service returned JSON that does not match the protocol \
                     (operation `get`, 1 attempt, <time>, status 200 OK)";
    assert_eq!(text(&error), json_text);

    let cut = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nchunk";
    let server = Raw::start(Script::after_body(async move |mut conn: Conn| {
        conn.send(cut.as_bytes()).await;
        conn.close()
    }));
    let remote = patient(&server).build().unwrap();
    let download = within(remote.download(&id(), &Rendition::Original.into())).await.unwrap();
    let error = within(download.into_bytes(1000)).await.unwrap_err();
    let truncated = "the media service did not send the whole media (operation `download`, 1 attempt, \
                     <time>, status 200 OK)";
    assert_eq!((text(&error).as_str(), error.kind()), (truncated, ErrorKind::Integrity));

    let upload = Upload::new("other content").file_name("a.txt").scope("me");
    let server = Raw::start(Script::says(json(&record(b"content"))));
    let remote = patient(&server).build().unwrap();
    let error = within(remote.upload(&ana(), upload)).await.unwrap_err();
    let stored = "the media service stored other bytes than were sent (operation `upload`, 1 attempt, \
                  <time>, status 200 OK)";
    assert_eq!(text(&error), stored);
}

#[tokio::test]
async fn g05_a_text_for_clients_has_its_details_in_the_source() {
    for (line, kind, public) in [
        ("404 Not Found", ErrorKind::NotFound, "the media was not found"),
        (
            "413 Payload Too Large",
            ErrorKind::TooLarge,
            "the media is larger than the media service accepts",
        ),
        (
            "422 Unprocessable Entity",
            ErrorKind::InvalidInput,
            "the media service rejected the request as invalid",
        ),
    ] {
        let error = get(&Raw::start(status(line)), 0).await;
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, public));
        let details = format!(
            "the media service responded with an error (operation `get`, 1 attempt, <time>, status {line})"
        );
        assert_eq!(text(error.source().unwrap()), details);
        let body = serde_json::to_string(&error.problem()).unwrap();
        assert!(!body.contains("operation"), "{body}");
    }
}
