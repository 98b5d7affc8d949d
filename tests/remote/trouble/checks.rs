//! Ownership queries to a faulty service.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::Request,
    http::{StatusCode, header},
    routing::post,
};
use futures_util::future::join_all;
use tower::ServiceExt as _;
use tower_media::{
    ErrorKind::{self, Timeout, Unavailable, Unexpected},
    MediaState, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
};

use super::{ID, ana, good, hasty, http, json, patient, status, verify, within};
use crate::raw::{Conn, Raw, Script};

type Ids = Json<Vec<UnverifiedId>>;

/// An application with one guarded route, and the number of calls of its handler.
struct App {
    routes: Router,
    reached: Arc<AtomicUsize>,
}

impl App {
    fn new(media: &MediaState) -> Self {
        let reached = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reached);
        let handler = async move |_: VerifiedMedia<Ids>| _ = count.fetch_add(1, Relaxed);
        let route = post(handler).layer(VerifyMediaLayer::<Ids>::new(media.clone()));
        Self { routes: Router::new().route("/", route).layer(Extension(ana())), reached }
    }

    async fn send(&self) -> StatusCode {
        let request = Request::post("/")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(format!("[\"{ID}\"]")))
            .unwrap();
        within(self.routes.clone().oneshot(request)).await.unwrap().status()
    }
}

/// A fault of the service: its name, the expected error of a query, and its script.
struct Trouble(&'static str, ErrorKind, Script);

impl Trouble {
    /// Checks the error of a query and of a guarded request, and that both succeed after the fault.
    async fn ends_well(self) {
        let Self(name, kind, script) = self;
        let server = Raw::start(script);
        let media = MediaState::new(hasty(&server).build().unwrap());
        let app = App::new(&media);

        let error = verify(&media).await.expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error:?}");
        assert_eq!(app.send().await, kind.status(), "{name}");
        assert_eq!(app.reached.load(Relaxed), 0, "{name}");

        server.set(good());
        verify(&media).await.unwrap_or_else(|error| panic!("after: {name}: {error:?}"));
        assert_eq!((app.send().await, app.reached.load(Relaxed)), (StatusCode::OK, 1), "{name}");
    }
}

async fn all_end_well(troubles: impl IntoIterator<Item = Trouble>) {
    join_all(troubles.into_iter().map(Trouble::ends_well)).await;
}

fn then_hangs(text: impl AsRef<[u8]>) -> Script {
    let text = text.as_ref().to_vec();
    Script::after_body(move |mut conn| {
        let text = text.clone();
        async move {
            conn.send(&text).await;
            std::future::pending().await
        }
    })
}

fn then_closes(text: impl AsRef<[u8]>) -> Script {
    let text = text.as_ref().to_vec();
    Script::after_body(move |mut conn| {
        let text = text.clone();
        async move {
            conn.send(&text).await;
            conn.close()
        }
    })
}

/// Sends the text, and then `more` repeatedly, at intervals.
fn trickles(text: &'static str, more: &'static str) -> Script {
    Script::after_body(move |mut conn| async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let mut sent = conn.send(text.as_bytes()).await;
        while sent {
            beat.tick().await;
            sent = conn.send(more.as_bytes()).await;
        }
        conn
    })
}

/// The faults below JSON, for any query.
fn on_the_wire() -> Vec<Trouble> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let many = "X-Header: x\r\n".repeat(1000);
    let long = format!("X-Header: {}\r\n", "x".repeat(1 << 20));
    vec![
        Trouble("closes at once", Unavailable, then_closes("")),
        Trouble("resets", Unavailable, Script::after_body(async |conn: Conn| conn.reset())),
        Trouble("never answers", Timeout, then_hangs("")),
        Trouble("stalls in the head", Timeout, then_hangs("HTTP/1.1 200 OK\r\nContent-Le")),
        Trouble(
            "stalls before the body",
            Timeout,
            then_hangs(format!("{head}Content-Length: 9\r\n\r\n")),
        ),
        Trouble(
            "stalls in the body",
            Timeout,
            then_hangs(format!("{head}Content-Length: 9\r\n\r\n{{")),
        ),
        Trouble("trickles the head", Timeout, trickles("HTTP/1.1 200 OK\r\nX-Header: ", "x")),
        Trouble("trickles the body", Timeout, trickles("HTTP/1.1 200 OK\r\n\r\n", " ")),
        Trouble("only ever informs", Timeout, trickles("", "HTTP/1.1 100 Continue\r\n\r\n")),
        Trouble("cuts off the head", Unavailable, then_closes("HTTP/1.1 200 OK\r\nContent-Le")),
        Trouble(
            "sends less than it says",
            Unavailable,
            then_closes(format!("{head}Content-Length: 100\r\n\r\n[]")),
        ),
        Trouble(
            "cuts off the chunks",
            Unavailable,
            then_closes(format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n")),
        ),
        Trouble(
            "cuts off a chunk",
            Unavailable,
            then_closes(format!("{head}Transfer-Encoding: chunked\r\n\r\nff\r\n[]")),
        ),
        Trouble(
            "says nonsense for a chunk's size",
            Unavailable,
            then_closes(format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n")),
        ),
        Trouble(
            "says two lengths",
            Unavailable,
            then_closes(format!("{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]")),
        ),
        Trouble(
            "announces 10 GB",
            Unexpected,
            then_hangs(format!("{head}Content-Length: 10737418240\r\n\r\n[]")),
        ),
        Trouble(
            "sends less of the JSON than there is",
            Unexpected,
            Script::says(format!("{head}Content-Length: 1\r\n\r\n[]")),
        ),
        Trouble(
            "sends thousands of headers",
            Unavailable,
            then_closes(format!("{head}{many}\r\n[]")),
        ),
        Trouble(
            "sends a header of a megabyte",
            Unavailable,
            then_closes(format!("{head}{long}\r\n[]")),
        ),
        Trouble("does not speak HTTP", Unavailable, then_closes("SSH-2.0-OpenSSH_9.9\r\n\r\n")),
        Trouble(
            "changes the protocol",
            Unexpected,
            Script::says(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
            ),
        ),
        Trouble(
            "sends a web page",
            Unexpected,
            Script::says(http("200 OK", "Content-Type: text/html\r\n", "<html></html>")),
        ),
        Trouble("sends nothing", Unexpected, Script::says(json(""))),
        Trouble(
            "sends invalid UTF-8",
            Unexpected,
            then_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe"),
        ),
        Trouble("nests JSON deeply", Unexpected, Script::says(json(&"[".repeat(1 << 20)))),
        Trouble("redirects nowhere", Unexpected, status("302 Found")),
        Trouble(
            "redirects in a circle",
            Unexpected,
            Script::says(http("307 Temporary Redirect", "Location: /again\r\n", "")),
        ),
        Trouble(
            "redirects out of HTTP",
            Unexpected,
            Script::says(http("302 Found", "Location: file:///etc/passwd\r\n", "")),
        ),
        Trouble(
            "redirects to the cloud's secrets",
            Unexpected,
            Script::says(http("302 Found", "Location: http://169.254.169.254/latest\r\n", "")),
        ),
    ]
}

/// Every status that does not answer the query.
fn statuses() -> impl Iterator<Item = Trouble> {
    [
        ("204 No Content", Unexpected),
        ("300 Multiple Choices", Unexpected),
        ("304 Not Modified", Unexpected),
        ("400 Bad Request", Unexpected),
        ("401 Unauthorized", Unexpected),
        ("403 Forbidden", Unexpected),
        ("404 Not Found", Unexpected),
        ("405 Method Not Allowed", Unexpected),
        ("413 Payload Too Large", Unexpected),
        ("422 Unprocessable Entity", Unexpected),
        ("429 Too Many Requests", Unavailable),
        ("431 Request Header Fields Too Large", Unexpected),
        ("500 Internal Server Error", Unavailable),
        ("501 Not Implemented", Unexpected),
        ("502 Bad Gateway", Unavailable),
        ("503 Service Unavailable", Unavailable),
        ("504 Gateway Timeout", Timeout),
        ("999 What", Unexpected),
    ]
    .into_iter()
    .map(|(text, kind)| Trouble(text, kind, status(text)))
}

/// The fault in lists: the service responds to `/owned` with 404, like the recorded one.
fn only_in_lists(Trouble(name, kind, script): Trouble) -> Trouble {
    Trouble(name, kind, script.with("POST /api/v1/media/owned ", status("404 Not Found")))
}

#[tokio::test]
async fn r06_faults_below_json_are_outages_and_end() {
    all_end_well(on_the_wire()).await;
}

#[tokio::test]
async fn r06_faults_below_json_of_lists_are_outages_and_end() {
    all_end_well(on_the_wire().into_iter().map(only_in_lists)).await;
}

#[tokio::test]
async fn r06_error_statuses_are_outages_and_end() {
    all_end_well(statuses().chain(statuses().map(only_in_lists))).await;
}

#[tokio::test]
async fn r06_refused_connections_are_an_outage_and_end() {
    let mut server = Raw::deaf(good());
    let media = MediaState::new(hasty(&server).build().unwrap());
    let app = App::new(&media);
    assert_eq!(verify(&media).await.unwrap_err().kind(), Unavailable);
    assert_eq!((app.send().await, app.reached.load(Relaxed)), (StatusCode::SERVICE_UNAVAILABLE, 0));
    server.listen();
    verify(&media).await.unwrap();
}

#[tokio::test]
async fn r06_owned_response_of_another_shape_is_unexpected() {
    let shapes = [
        "null",
        "true",
        "[]",
        "{}",
        r#"{"owned":null}"#,
        r#"{"owned":true}"#,
        r#"{"owned":{}}"#,
        r#"{"owned":[1]}"#,
        r#"{"owned":[null]}"#,
        r#"{"owned":[["01f1903a-390d-41fe-8146-d3b7c842ed42"]]}"#,
        r#"{"owned":"01f1903a-390d-41fe-8146-d3b7c842ed42"}"#,
        r#"{"owned":["01f1903a-390d-41fe-8146-d3b7c842ed42"]"#,
        r#"{"owned":["01f1903a-390d-41fe-8146-d3b7c842ed42"]} {}"#,
        r#"{"owned":["01f1903a-390d-41fe-8146-d3b7c842ed42"],"owned":[]}"#,
        r#"{"Owned":["01f1903a-390d-41fe-8146-d3b7c842ed42"]}"#,
        r#"{"error":"Media not found"}"#,
    ];
    all_end_well(shapes.map(|shape| Trouble(shape, Unexpected, Script::says(json(shape))))).await;
}

#[tokio::test]
async fn r06_list_of_another_shape_is_unexpected() {
    let shapes = [
        "null",
        "{}",
        r#"{"items":[],"total":0,"hasMore":false}"#,
        "[{}]",
        "[null]",
        r#"["01f1903a-390d-41fe-8146-d3b7c842ed42"]"#,
        r#"[{"id":1}]"#,
        r#"[{"id":null}]"#,
        r#"[{"id":"01f1903a-390d-41fe-8146-d3b7c842ed42"}"#,
        r#"{"error":"Media not found"}"#,
    ];
    let trouble = |shape| only_in_lists(Trouble(shape, Unexpected, Script::says(json(shape))));
    all_end_well(shapes.map(trouble)).await;
}

#[tokio::test]
async fn r06_owned_response_with_other_ids_is_unexpected() {
    let answers = [
        r#"{"owned":["00000000-0000-4000-8000-000000000000"]}"#,
        r#"{"owned":["01f1903a-390d-41fe-8146-d3b7c842ed42","another"]}"#,
        r#"{"owned":["01f1903a-390d-41fe-8146-d3b7c842ed42",""]}"#,
        r#"{"owned":["01F1903A-390D-41FE-8146-D3B7C842ED42"]}"#,
        r#"{"owned":["01f1903a-390d-41fe-8146-d3b7c842ed42 "]}"#,
    ];
    all_end_well(answers.map(|answer| Trouble(answer, Unexpected, Script::says(json(answer)))))
        .await;
}

/// Sends `head` and then chunks of spaces, up to 10 GB.
fn endless(head: &'static str) -> Script {
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    Script::after_body(move |mut conn| {
        let chunk = chunk.clone();
        async move {
            conn.send(head.as_bytes()).await;
            for _ in 0..(10u64 << 30) / 0x10000 {
                if !conn.send(chunk.as_bytes()).await {
                    break;
                }
            }
            conn
        }
    })
}

const ENDLESS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn r06_endless_response_is_aborted_within_megabytes() {
    let server = Raw::start(endless(ENDLESS));
    let media = MediaState::new(patient(&server).build().unwrap());
    assert_eq!(verify(&media).await.unwrap_err().kind(), Unexpected);
    assert!(server.written() < 32 << 20, "{}", server.written());
}

#[tokio::test]
async fn r06_an_endless_list_is_aborted() {
    let server =
        Raw::start(endless(ENDLESS).with("POST /api/v1/media/owned ", status("404 Not Found")));
    let media = MediaState::new(patient(&server).build().unwrap());
    assert_eq!(verify(&media).await.unwrap_err().kind(), Unexpected);
    assert!(server.written() < 160 << 20, "{}", server.written());
}

#[tokio::test]
async fn r06_surplus_bytes_do_not_answer_the_next_request() {
    let denial = json(r#"{"owned":[]}"#);
    let surplus = format!("{denial}{}", json(&format!(r#"{{"owned":["{ID}"]}}"#)));
    let server = Raw::start(Script::says(surplus));
    let media = MediaState::new(hasty(&server).build().unwrap());
    for _ in 0..20 {
        assert_eq!(verify(&media).await.unwrap_err().kind(), ErrorKind::NotOwned);
    }
}
