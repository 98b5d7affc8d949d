//! R6 and R7: a service that is down, slow, broken or hostile is an outage, never a verdict. It costs
//! bounded time and memory, and the next request after it succeeds.

mod builder;
mod checks;
mod circuit;
mod errors;
mod ranges;
mod redirects;
mod retries;
mod secrets;
mod transfers;

use std::time::Duration;

use tower_media::{
    MediaId, MediaState, OwnedMedia, Owner, Remote, Result, Scopes, UnverifiedId,
    media::ContentHash, remote::RemoteBuilder,
};

use super::raw::{Raw, Script};

const ID: &str = "01f1903a-390d-41fe-8146-d3b7c842ed42";

/// A client with short timeouts, without retries and cache.
fn hasty(server: &Raw) -> RemoteBuilder {
    Remote::builder(server.url())
        .request_timeout(Duration::from_millis(500))
        .idle_timeout(Duration::from_millis(300))
        .retries(0)
        .max_staleness(Duration::ZERO)
}

/// A client whose timeouts are longer than the test's.
fn patient(server: &Raw) -> RemoteBuilder {
    let never = Duration::from_secs(3600);
    hasty(server).request_timeout(never).idle_timeout(never)
}

fn ana() -> Owner {
    Owner::new("ana").unwrap()
}

fn id() -> MediaId {
    MediaId::from_trusted(ID).unwrap()
}

async fn verify(media: &MediaState) -> Result<OwnedMedia> {
    verify_id(media, ID).await
}

async fn verify_id(media: &MediaState, id: &str) -> Result<OwnedMedia> {
    within(media.verify(&ana(), Scopes::any(), [UnverifiedId::parse(id).unwrap()])).await
}

/// Fails the test if `future` hangs.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(25), future).await.expect("the future ends")
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn json(body: &str) -> String {
    http("200 OK", "Content-Type: application/json\r\n", body)
}

fn status(status: &str) -> Script {
    Script::says(http(status, "", ""))
}

/// A working service with one media item whose bytes are `content`.
fn good() -> Script {
    Script::says(json("{}"))
        .with("POST /api/v1/media/owned ", Script::says(json(&format!(r#"{{"owned":["{ID}"]}}"#))))
        .with(
            "GET /api/v1/media?",
            Script::says(json(&format!(r#"[{{"id":"{ID}","status":"ready"}}]"#))),
        )
        .with(
            "GET /api/v1/media/list/all?",
            Script::says(json(r#"{"items":[],"total":1,"hasMore":false}"#)),
        )
        .with("POST /api/v1/media/upload ", Script::says(json(&record(b"content"))))
        .with(GET, Script::says(json(&record(b"content"))))
        .with("GET /api/v1/media/01f1903a-390d-41fe-8146-d3b7c842ed42/file ", file("content"))
}

const GET: &str = "GET /api/v1/media/01f1903a-390d-41fe-8146-d3b7c842ed42 ";

fn file(content: &str) -> Script {
    Script::says(http("200 OK", "Content-Type: image/png\r\n", content))
}

fn record(content: &[u8]) -> String {
    let (hash, size) = (ContentHash::of(content), content.len());
    format!(
        r#"{{"id":"{ID}","status":"ready","originalName":"a.txt","mimeType":"text/plain","size":{size},
            "hash":"{hash}","urls":{{"original":"http://x/media/{ID}/file"}},
            "createdAt":"2026-11-22T13:05:38.616Z"}}"#
    )
}
