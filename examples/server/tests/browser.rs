//! The server and pages of other origins in a real browser. Needs `chromium` and `chromedriver`:
//! `cargo test -p server --test browser -- --ignored`.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "the browser of another example")]
#[path = "../../gallery/tests/browser/browser.rs"]
mod browser;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use axum::{Router, response::Html, routing::get};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::browser::Browser;

/// The server with `COMPATIBLE=1`, and without a key.
struct Server {
    media: String,
    process: Child,
    _folder: TempDir,
}

impl Server {
    fn start(origins: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
            .env_clear()
            .envs([("PORT", "0"), ("COMPATIBLE", "1"), ("CORS_ORIGINS", origins)])
            .env("STORAGE", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("listening on http://127.0.0.1:")?;
            Some(rest.split(' ').next()?.to_owned())
        });
        let media = format!("http://localhost:{}/api/v1/media", address.unwrap());
        Self { media, process, _folder: folder }
    }

    async fn upload(&self, name: &str) -> Value {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/images");
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let part = Part::bytes(bytes).file_name(name.to_owned());
        let form = Form::new().part("file", part).text("app", "photos");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}/upload", self.media)).multipart(form);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Serves an empty page, and returns its origin: another site than `localhost`.
async fn page() -> String {
    let app: Router =
        Router::new().route("/", get(|| async { Html("<!doctype html><title>a page</title>") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    origin
}

/// Shows the images in the page, and returns the width of each, or 0 if the browser does not show it.
async fn show(browser: &Browser, urls: &[String]) -> Vec<u64> {
    let load = format!(
        "{}.forEach((url) => {{
            const image = new Image();
            image.onload = image.onerror = () => {{ image.dataset.done = true }};
            image.src = url;
            document.body.append(image);
        }})",
        json!(urls)
    );
    browser.eval(&load).await;
    browser.until("[...document.images].every((image) => image.dataset.done)").await;
    let widths = browser.eval("[...document.images].map((image) => image.naturalWidth)").await;
    serde_json::from_value(widths).unwrap()
}

/// Runs `fetch` in the page, and returns the status, or the text of the error.
async fn fetch(browser: &Browser, url: &str, options: &str) -> Value {
    let start = format!(
        "(window.seen = undefined, fetch({}, {options})
            .then((response) => {{ window.seen = response.status }})
            .catch((error) => {{ window.seen = error.name }}), null)",
        json!(url)
    );
    browser.eval(&start).await;
    browser.until("window.seen !== undefined").await;
    browser.eval("window.seen").await
}

/// An upload as a page sends it, without a preflight.
const UPLOAD: &str = "(() => {
    const form = new FormData();
    form.append('file', new Blob(['text']), 'a.txt');
    form.append('app', 'photos');
    return { method: 'POST', body: form };
})()";

const IMAGES: [(&str, u64); 5] = [
    ("exif-gps.jpg", 320),
    ("alpha.png", 300),
    ("static.gif", 90),
    ("lossy.webp", 400),
    ("plain-2400x1600.jpg", 2400),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_page_of_an_allowed_origin_shows_images_and_uploads() {
    let origin = page().await;
    let server = Server::start(&origin);
    let mut originals = Vec::new();
    let mut large = Vec::new();
    for (name, _) in IMAGES {
        let media = server.upload(name).await;
        let original = media["urls"]["original"].as_str().unwrap().to_owned();
        assert!(original.starts_with(&server.media), "{original}");
        large.push(format!("{original}/large"));
        originals.push(original);
    }
    let browser = Browser::open().await;
    browser.goto(&origin).await;
    assert_eq!(show(&browser, &originals).await, IMAGES.map(|(_, width)| width));
    browser.refresh().await;
    let widths = IMAGES.map(|(_, width)| width.min(1920));
    assert_eq!(show(&browser, &large).await, widths);

    let list = format!("{}?app=photos", server.media);
    assert_eq!(fetch(&browser, &list, "{}").await, 200);
    let upload = format!("{}/upload", server.media);
    assert_eq!(fetch(&browser, &upload, UPLOAD).await, 201);

    // A page of another origin can show images, but neither read nor write.
    let other = page().await;
    browser.goto(&other).await;
    assert_eq!(show(&browser, &originals[..1]).await, [320]);
    assert_eq!(fetch(&browser, &list, "{}").await, "TypeError");
    assert_eq!(fetch(&browser, &upload, UPLOAD).await, "TypeError");
    browser.goto(&origin).await;
    let read = format!(
        "fetch({}).then((response) => response.json()).then((list) => {{ window.list = list }})",
        json!(list)
    );
    browser.eval(&format!("({read}, null)")).await;
    browser.until("window.list !== undefined").await;
    assert_eq!(browser.eval("window.list.length").await, 6, "the other page has uploaded nothing");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn p08_without_allowed_origins_a_page_cannot_embed_files() {
    let server = Server::start("");
    let media = server.upload("exif-gps.jpg").await;
    let url = media["urls"]["original"].as_str().unwrap().to_owned();
    let browser = Browser::open().await;
    browser.goto(&page().await).await;
    assert_eq!(show(&browser, std::slice::from_ref(&url)).await, [0]);
    assert_eq!(fetch(&browser, &format!("{}/upload", server.media), UPLOAD).await, "TypeError");
    // The browser shows it by itself, so the header is the reason.
    browser.goto(&url).await;
    assert_eq!(browser.eval("document.images[0].naturalWidth").await, 320);
}
