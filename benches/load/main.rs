//! The latency and the memory of the example `server` under load. `load.sh` builds both and runs this.
//!
//! The client is another process on the same machine. Each connection is persistent, and sends one request
//! after the other; latencies are measured at the client.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a bench")]

mod connection;
#[path = "../images/photo.rs"]
mod photo;
mod server;

use std::{
    env, iter,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::runtime::Runtime;

use self::{
    connection::Connection,
    server::{KEY, Server},
};

/// The number of pictures in the server before the measurements.
const STORED: usize = 200;

/// The default concurrency.
const AT_ONCE: usize = 8;

const MEBIBYTE: usize = 1 << 20;

fn main() {
    // Cargo adds its own arguments.
    let given: Vec<String> = env::args().skip(1).filter(|text| !text.starts_with('-')).collect();
    let Some(program) = given.first() else {
        println!("run benches/load.sh");
        return;
    };
    let number = |n: usize, otherwise: usize| -> usize {
        given.get(n).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (requests, uploads, mebibytes) = (number(1, 5_000), number(2, 500), number(3, 1024));
    let start = || Server::start(Path::new(program), (mebibytes * MEBIBYTE) as u64);
    Runtime::new().unwrap().block_on(async {
        Load::new(start()).run(requests, uploads).await;
        // Run first, because memory that the allocator keeps after the other cases would hide the peak.
        Load::new(start()).large(mebibytes).await;
    });
}

struct Load {
    server: Server,
    picture: Vec<u8>,
    uploaded: usize,
}

/// Makes the request with this number.
type Make = Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

impl Load {
    fn new(server: Server) -> Self {
        Self { server, picture: photo::jpeg(960, 720), uploaded: 0 }
    }

    async fn run(mut self, requests: usize, uploads: usize) {
        let begin = self.server.memory("VmRSS");
        let ids: Arc<[String]> = self.fill().await.into();
        let idle = self.server.memory("VmRSS");
        let kilobytes = self.picture.len() / 1000;
        println!(
            "{STORED} pictures of {kilobytes} KB; memory {} MiB at the start",
            begin / MEBIBYTE as u64
        );
        println!("and {} MiB with these, which is idle below\n", idle / MEBIBYTE as u64);
        println!(
            "| request | at once | count | per second | p50, ms | p99, ms | peak, MiB | above idle |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|");

        let of_one = |what: &'static str, headers: &'static str| -> Make {
            let ids = Arc::clone(&ids);
            Arc::new(move |n| get(&format!("/{}{what}", ids[n % ids.len()]), headers))
        };
        for (name, make, status) in [
            ("record", of_one("", ""), 200),
            ("list of 50", Arc::new(|_| get("?userId=ana&limit=50", "")) as Make, 200),
            ("original", of_one("/file", ""), 200),
            ("thumbnail", of_one("/file/thumb", ""), 200),
            ("not modified", of_one("/file", "If-None-Match: *\r\n"), 304),
        ] {
            self.measure(name, idle, AT_ONCE, requests, make, status).await;
        }
        for at_once in [1, 8, 64] {
            let (picture, from) = (self.picture.clone(), self.uploaded);
            let make: Make = Arc::new(move |n| upload(&distinct(&picture, from + n)));
            self.uploaded += uploads;
            self.measure("upload", idle, at_once, uploads, make, 201).await;
            self.all_are_ready().await;
        }
    }

    /// Uploads pictures and returns their ids.
    async fn fill(&mut self) -> Vec<String> {
        let mut connection = Connection::open(self.server.address).await;
        let mut ids = Vec::new();
        for n in 0..STORED {
            let request = upload(&distinct(&self.picture, n));
            let (_, record) = connection.send(&request, 201).await;
            let record: Value = serde_json::from_slice(record).unwrap();
            ids.push(record["id"].as_str().unwrap().to_owned());
        }
        self.uploaded = STORED;
        self.all_are_ready().await;
        ids
    }

    /// Waits until the variants of all pictures have been made, so that they do not disturb the next
    /// measurement.
    async fn all_are_ready(&self) {
        let mut connection = Connection::open(self.server.address).await;
        loop {
            let request = get("/list/all?userId=ana&limit=1", "");
            let (_, page) = connection.send(&request, 200).await;
            let page: Value = serde_json::from_slice(page).unwrap();
            if page["total"] == self.uploaded {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn measure(
        &self,
        name: &str,
        idle: u64,
        at_once: usize,
        count: usize,
        make: Make,
        status: u16,
    ) {
        let mut connections = Vec::new();
        for _ in 0..at_once {
            connections.push(Connection::open(self.server.address).await);
        }
        let forgets = self.server.forget_peak();
        let (next, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let clients = connections.into_iter().map(|mut connection| {
            let (next, make) = (Arc::clone(&next), Arc::clone(&make));
            tokio::spawn(async move {
                let numbers = iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
                let mut times = Vec::new();
                for number in numbers.take_while(|number| *number < count) {
                    let request = make(number);
                    let began = Instant::now();
                    connection.send(&request, status).await;
                    times.push(began.elapsed());
                }
                times
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await.unwrap());
        }
        let rate = count as f64 / began.elapsed().as_secs_f64();
        times.sort();
        let millis =
            |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        let (p50, p99) = (millis(0.5), millis(0.99));
        println!(
            "| {name} | {at_once} | {count} | {rate:.0} | {p50:.2} | {p99:.2} | {} |",
            self.peak(idle, forgets)
        );
    }

    /// Returns the peak memory since the last reset, or since the start if the system cannot reset it.
    fn peak(&self, idle: u64, forgets: bool) -> String {
        let mebibytes = |bytes: u64| bytes as f64 / MEBIBYTE as f64;
        let peak = self.server.memory("VmHWM");
        let since = if forgets { "" } else { " since the start" };
        format!("{:.1}{since} | {:.1}", mebibytes(peak), mebibytes(peak.saturating_sub(idle)))
    }

    /// Uploads and downloads one file that is far larger than the memory that the server may use.
    async fn large(&self, mebibytes: usize) {
        let mut connection = Connection::open(self.server.address).await;
        connection.send(&get("?userId=ana", ""), 200).await;
        let idle = self.server.memory("VmRSS");
        let piece: Vec<u8> = (0..MEBIBYTE).map(|n| (n % 251) as u8).collect();
        let (head, end) = form(mebibytes * MEBIBYTE, "large.bin");
        let forgets = self.server.forget_peak();
        let began = Instant::now();
        connection.write(&head).await;
        for _ in 0..mebibytes {
            connection.write(&piece).await;
        }
        connection.write(&end).await;
        let (_, record) = connection.read(201).await;
        let record: Value = serde_json::from_slice(record).unwrap();
        self.told("upload", mebibytes, began, &self.peak(idle, forgets));

        let id = record["id"].as_str().unwrap();
        let forgets = self.server.forget_peak();
        let began = Instant::now();
        let (length, _) = connection.send(&get(&format!("/{id}/file"), ""), 200).await;
        assert_eq!(length, mebibytes * MEBIBYTE);
        self.told("download", mebibytes, began, &self.peak(idle, forgets));
    }

    fn told(&self, way: &str, mebibytes: usize, began: Instant, peak: &str) {
        let speed = mebibytes as f64 / began.elapsed().as_secs_f64();
        println!("| {way} of {mebibytes} MiB | 1 | 1 | {speed:.0} MiB | | | {peak} |");
    }
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET /api/v1/media{path} HTTP/1.1\r\nHost: x\r\nX-Service-Key: {KEY}\r\n{headers}\r\n")
        .into_bytes()
}

/// The multipart text before and after a file.
fn form(length: usize, name: &str) -> (Vec<u8>, Vec<u8>) {
    let part = |what: &str| format!("--b\r\nContent-Disposition: form-data; {what}\r\n\r\n");
    let begin = part("name=\"app\"")
        + "me\r\n"
        + &part("name=\"userId\"")
        + "ana\r\n"
        + &part(&format!("name=\"file\"; filename=\"{name}\""));
    let end = "\r\n--b--\r\n";
    let head = format!(
        "POST /api/v1/media/upload HTTP/1.1\r\nHost: x\r\nX-Service-Key: {KEY}\r\n\
         Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n{begin}",
        begin.len() + length + end.len()
    );
    (head.into_bytes(), end.as_bytes().to_vec())
}

fn upload(picture: &[u8]) -> Vec<u8> {
    let (head, end) = form(picture.len(), "photo.jpg");
    [&head, picture, &end].concat()
}

/// Returns the same picture with other bytes: a number in a comment after its first marker.
fn distinct(picture: &[u8], number: usize) -> Vec<u8> {
    let comment = [&[0xFF, 0xFE, 0, 10][..], &(number as u64).to_be_bytes()].concat();
    [&picture[..2], &comment, &picture[2..]].concat()
}
