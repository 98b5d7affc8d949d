//! The time and the additional peak memory of a gibibyte through `Remote`, compared with a bare stream of
//! `reqwest` to the same server.
//!
//! Each case runs in its own processes, in turns, against a server in another process. Run with
//! `cargo bench --bench streams`. The number of rounds is the argument. Default: 3.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tower_media::{MediaId, MediaState, Owner, Remote, Rendition, Upload, media::ContentHash};

const ROLE: &str = "TOWER_MEDIA_BENCH_ROLE";
const URL: &str = "TOWER_MEDIA_BENCH_URL";

const SIZE: usize = 1 << 30;
const CHUNK: usize = 256 << 10;
const ID: &str = "01f1903a-390d-41fe-8146-d3b7c842ed42";

/// The SHA-256 of this number of zeros, so that the server need not hash.
const HASH: &str = "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14";

/// Each case, after the bare case for the comparison.
const WAYS: [(&str, &str); 4] = [
    ("download bare", "download"),
    // A lower bound of the time of an upload, whose bytes are hashed.
    ("upload bare", "hash alone"),
    ("upload bare", "upload"),
    ("upload bare", "upload of a file"),
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match env::var(ROLE).as_deref() {
        Ok("server") => runtime.block_on(serve()),
        Ok(way) => runtime.block_on(measure(way)),
        Err(_) => compare(),
    }
}

fn zeros() -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    let chunk = Bytes::from(vec![0; CHUNK]);
    stream::iter(0..SIZE / CHUNK).map(move |_| Ok(chunk.clone()))
}

async fn serve() {
    async fn file() -> impl IntoResponse {
        let headers = [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_LENGTH, SIZE.to_string()),
        ];
        (headers, Body::from_stream(zeros()))
    }

    async fn upload(request: Request) -> impl IntoResponse {
        let mut body = request.into_body().into_data_stream();
        while body.try_next().await.unwrap().is_some() {}
        let record = format!(
            r#"{{"id":"{ID}","status":"ready","originalName":"zeros","mimeType":"","size":{SIZE},
                "hash":"{HASH}","urls":{{"original":"http://x/media/{ID}/file"}},
                "createdAt":"2026-11-22T13:05:38.616Z"}}"#
        );
        ([(CONTENT_TYPE, "application/json")], record)
    }

    let app = Router::new()
        .route("/api/v1/media/{id}/file", get(file))
        .route("/api/v1/media/upload", post(upload))
        .route("/health", get(|| async {}))
        .layer(DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}

/// Returns the peak memory of this process in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Runs one case, and prints its time in milliseconds and its memory in bytes.
async fn measure(way: &str) {
    let url = env::var(URL).unwrap();
    let remote = Remote::builder(&url).request_timeout(Duration::from_secs(60)).build().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("{url}/api/v1/media");
    let (owner, id) = (Owner::new("ana").unwrap(), MediaId::from_trusted(ID).unwrap());
    let path = env::temp_dir().join(format!("tower-media-bench-{}", std::process::id()));
    // The connection, with its allocations, is opened before the measurement.
    remote.health().await.unwrap();
    http.get(format!("{url}/health")).send().await.unwrap();
    let media = MediaState::new(remote);
    if way == "upload of a file" {
        std::fs::File::create(&path).unwrap().set_len(SIZE as u64).unwrap();
    }
    let (before, began) = (peak(), Instant::now());
    match way {
        "download bare" => {
            let mut response = http.get(format!("{base}/{ID}/file")).send().await.unwrap();
            let mut read = 0;
            while let Some(chunk) = response.chunk().await.unwrap() {
                read += chunk.len();
            }
            assert_eq!(read, SIZE);
        }
        "download" => {
            let download = media.download(&id, Rendition::Original).await.unwrap();
            let mut body = download.into_stream();
            let mut read = 0;
            while let Some(chunk) = body.try_next().await.unwrap() {
                read += chunk.len();
            }
            assert_eq!(read, SIZE);
        }
        "upload bare" => {
            let body = reqwest::Body::wrap_stream(zeros());
            let part = reqwest::multipart::Part::stream(body).file_name("zeros");
            let form = reqwest::multipart::Form::new().part("file", part);
            let sent = http.post(format!("{base}/upload")).multipart(form).send().await.unwrap();
            assert!(sent.status().is_success());
            sent.bytes().await.unwrap();
        }
        "hash alone" => {
            let chunk = vec![0; CHUNK];
            for _ in 0..SIZE / CHUNK {
                std::hint::black_box(ContentHash::of(&chunk));
            }
        }
        _ => {
            let upload = match way {
                "upload" => Upload::from_stream(zeros()),
                _ => Upload::from_path(&path),
            };
            media.upload(&owner, upload.file_name("zeros").scope("me")).await.unwrap();
        }
    }
    println!("{} {}", began.elapsed().as_millis(), peak() - before);
    let _ = std::fs::remove_file(path);
}

fn myself(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(ROLE, role).stdout(Stdio::piped());
    command
}

/// The times and the peak memory of one case.
#[derive(Default)]
struct Cost {
    millis: Vec<f64>,
    memory: f64,
}

impl Cost {
    /// Returns the best of all rounds, the one least disturbed by other work on the machine.
    fn best(&self) -> f64 {
        self.millis.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

fn compare() {
    let rounds = env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(3);
    let mut server = myself("server").spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let run = |way: &str, cost: &mut Cost| {
        let output = myself(way).env(URL, url.trim()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (millis, memory) = said.trim().split_once(' ').unwrap();
        cost.millis.push(millis.parse().unwrap());
        cost.memory = cost.memory.max(memory.parse().unwrap());
    };
    for (bare, way) in WAYS {
        let (mut base, mut cost) = (Cost::default(), Cost::default());
        for _ in 0..rounds {
            run(bare, &mut base);
            run(way, &mut cost);
        }
        let speed = |cost: &Cost| SIZE as f64 / (1 << 20) as f64 / (cost.best() / 1_000.0);
        println!(
            "{way:<17} {:>6.0} MiB/s, {:>5.1} MiB of memory; bare {:>6.0} MiB/s, {:>5.1} MiB: {:.0} %",
            speed(&cost),
            cost.memory / f64::from(1 << 20),
            speed(&base),
            base.memory / f64::from(1 << 20),
            100.0 * base.best() / cost.best(),
        );
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
