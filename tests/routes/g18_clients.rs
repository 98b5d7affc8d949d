//! G18 with clients that people use: Node's `fetch`, Python's `http.client`, and curl over HTTP/1.1 and HTTP/2.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::SocketAddr,
    process::{Command, Stdio},
};

use serde_json::json;

use super::{
    g18_refusal_arrives::{Refusal, refusals, start},
    support::{Form, file},
};

const SIZES: [usize; 4] = [300_000, 1 << 20, 5 << 20, 20 << 20];

/// Sends all requests, and returns what the client printed for each.
type Client = fn(&[Sent]) -> Vec<String>;

/// A request that is refused, with a body of `size` bytes.
struct Sent {
    address: SocketAddr,
    refusal: Refusal,
    size: usize,
}

impl Sent {
    fn url(&self) -> String {
        format!("http://{}{}", self.address, self.refusal.path)
    }

    /// The start of a multipart form; the rest of the body is one long file.
    fn prefix() -> String {
        let form = Form::new().with(file("a.txt", b"not an image ")).bytes();
        let form = String::from_utf8(form.to_vec()).unwrap();
        form.strip_suffix("\r\n--boundary--\r\n").unwrap().to_owned()
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "method": self.refusal.method, "url": self.url(), "headers": self.refusal.headers,
            "prefix": Self::prefix(), "size": self.size,
        })
    }

    /// Returns whether the client got the refusal. A body within the limit of JSON is read to its end, and
    /// then refused as malformed.
    fn arrived(&self, printed: &str) -> bool {
        printed == self.refusal.status.to_string()
            || (self.refusal.status == 413 && self.size <= 1 << 20 && printed == "400")
    }
}

/// Runs a script that sends all requests and prints a line for each.
fn script(program: &str, script: &str, requests: &[Sent]) -> Vec<String> {
    let path = format!("{}/tests/routes/clients/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(program)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let list = json!(requests.iter().map(Sent::json).collect::<Vec<_>>());
    child.stdin.take().unwrap().write_all(list.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn curl(http: &str, requests: &[Sent]) -> Vec<String> {
    let send = |sent: &Sent| {
        let mut body = Sent::prefix().into_bytes();
        body.resize(sent.size, b'x');
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "30", http, "--request", sent.refusal.method])
            .args(["--output", "/dev/null", "--write-out", "%{http_code} %{exitcode}"])
            .args(["--data-binary", "@-", "--header", "Expect:", "--header", "Content-Type:"]);
        for (name, value) in &sent.refusal.headers {
            curl.arg("--header").arg(format!("{name}: {value}"));
        }
        let mut child =
            curl.arg(sent.url()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // curl reads its input to the end before it sends, so that this does not block for a refusal.
        child.stdin.take().unwrap().write_all(&body).unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        output.strip_suffix(" 0").map_or(format!("curl: {output}"), str::to_owned)
    };
    requests.iter().map(send).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node, Python and curl; .ci/clients runs it"]
async fn g18_node_python_and_curl_get_every_refusal() {
    let address = start().await;
    let requests = move || -> Vec<Sent> {
        SIZES
            .into_iter()
            .flat_map(|size| {
                refusals().into_iter().map(move |refusal| Sent { address, refusal, size })
            })
            .collect()
    };
    let clients: [(&str, Client); 4] = [
        ("Node fetch", |requests| script("node", "send.mjs", requests)),
        ("Python http.client", |requests| script("python3", "send.py", requests)),
        ("curl HTTP/1.1", |requests| curl("--http1.1", requests)),
        ("curl HTTP/2", |requests| curl("--http2-prior-knowledge", requests)),
    ];
    let mut lost = Vec::new();
    println!("lost answers | {SIZES:?} bytes");
    for (client, send) in clients {
        let (printed, requests) =
            tokio::task::spawn_blocking(move || (send(&requests()), requests())).await.unwrap();
        assert_eq!(printed.len(), requests.len(), "{client} printed {printed:?}");
        let mut per_size = BTreeMap::<usize, usize>::new();
        for (sent, printed) in requests.iter().zip(&printed) {
            let arrived = sent.arrived(printed);
            *per_size.entry(sent.size).or_default() += usize::from(!arrived);
            if !arrived {
                let Sent { refusal, size, .. } = sent;
                lost.push(format!("{client}, {size} bytes, {refusal:?}: {printed}"));
            }
        }
        let counts: Vec<_> = per_size.values().map(ToString::to_string).collect();
        println!("{client} | {} of {} each", counts.join(", "), requests.len() / SIZES.len());
    }
    assert!(lost.is_empty(), "{} answers lost:\n{}", lost.len(), lost.join("\n"));
}
