//! Resumable uploads while the server is killed and connections are cut (promise U1).

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};
use tower_media::{
    MediaState, Store,
    media::ListOptions,
    routes::{PartialUploads, UploadPolicy, UploadRoutes},
};

use super::support::{owner, png, signed_in};

/// Environment variable with the folder of the child process.
const FOLDER: &str = "TOWER_MEDIA_TUS_FOLDER";

const LISTENS: &str = "the server listens on ";

/// The server that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a parent that kills it"]
async fn server() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let media = MediaState::new(Store::open(&folder).await.unwrap());
    let policy = UploadPolicy::images().scope("me").max_bytes(100 << 20);
    let uploads = PartialUploads::in_folder(folder).unwrap();
    let routes = UploadRoutes::new(media, "/up", policy).tus(uploads).into_router();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{LISTENS}{}", listener.local_addr().unwrap());
    axum::serve(listener, signed_in(routes)).await.unwrap();
}

/// A running server, killed when it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["u_tus_crash::server", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = out.lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.split(LISTENS).nth(1)?.parse().ok());
        Self { child, address: address.expect("the server says where it listens") }
    }
}

impl Server {
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Forwards connections to the server, and breaks each one after some bytes of the request.
struct Proxy {
    address: SocketAddr,
    budgets: Arc<Mutex<Vec<usize>>>,
    server: Arc<Mutex<Server>>,
}

impl Proxy {
    /// After `kills` broken connections the server is killed and started again.
    async fn start(folder: &Path, budgets: Vec<usize>, kill_at: Vec<usize>) -> Self {
        let server = Arc::new(Mutex::new(Server::start(folder)));
        let budgets = Arc::new(Mutex::new(budgets));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self { address, budgets: budgets.clone(), server: server.clone() };
        let folder = folder.to_owned();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let target = server.lock().unwrap().address;
                let mut upstream = TcpStream::connect(target).await.unwrap();
                let (budgets, server) = (budgets.clone(), server.clone());
                let (folder, kill_at) = (folder.clone(), kill_at.clone());
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.split();
                    let (mut from_server, mut to_server) = upstream.split();
                    let forward = async {
                        let mut buffer = vec![0; 64 << 10];
                        let mut passed = 0;
                        loop {
                            let read = tokio::io::AsyncReadExt::read(&mut from_client, &mut buffer);
                            let read = read.await.unwrap_or(0);
                            if read == 0 || to_server.write_all(&buffer[..read]).await.is_err() {
                                return false;
                            }
                            passed += read;
                            let mut budgets = budgets.lock().unwrap();
                            if budgets.last().is_some_and(|budget| passed >= *budget) {
                                budgets.pop();
                                return true;
                            }
                        }
                    };
                    let back = tokio::io::copy(&mut from_server, &mut to_client);
                    let is_broken = tokio::select! {
                        is_broken = forward => is_broken,
                        _ = back => false,
                    };
                    let left = budgets.lock().unwrap().len();
                    if is_broken && kill_at.contains(&left) {
                        let mut server = server.lock().unwrap();
                        server.kill();
                        *server = Server::start(&folder);
                    }
                });
            }
        });
        proxy
    }
}

/// Uploads by `send`, with ten broken connections and three kills, and checks what is stored.
async fn survives<F: Future<Output = ()>>(send: impl FnOnce(SocketAddr, Vec<u8>) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = StdRng::from_seed([9; 32]);
    let breaks = (0..10).map(|_| random.random_range(100_000..5_000_000)).collect();
    let proxy = Proxy::start(folder.path(), breaks, vec![8, 5, 2]).await;
    let bytes = png(50_000_000);
    send(proxy.address, bytes.clone()).await;
    assert_eq!(proxy.budgets.lock().unwrap().len(), 0, "every connection was broken");
    proxy.server.lock().unwrap().kill();
    let store = MediaState::new(Store::open(folder.path()).await.unwrap());
    let page = store.list(&owner("ana"), &ListOptions::new()).await.unwrap();
    let [media] = &page.items[..] else { panic!("one record: {page:?}") };
    assert_eq!(media.hash.to_string(), hex(&Sha256::digest(&bytes)));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u01_an_upload_survives_kill_9_and_broken_connections() {
    survives(|address, bytes| async move {
        let client = reqwest::Client::new();
        let request = |method: &str, url: &str| {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            client.request(method, url).header("tus-resumable", "1.0.0").header("x-user", "ana")
        };
        let create = format!("http://{address}/up/tus");
        let created = request("POST", &create).header("upload-length", bytes.len()).send().await;
        let location = created.unwrap().headers()["location"].to_str().unwrap().to_owned();
        let upload = format!("http://{address}/up/{location}");
        let mut seen = 0;
        loop {
            let Ok(head) = request("HEAD", &upload).send().await else { continue };
            let Some(offset) = head.headers().get("upload-offset") else { continue };
            let offset: usize = offset.to_str().unwrap().parse().unwrap();
            assert!(offset >= seen, "bytes before offset {seen} are lost: {offset}");
            seen = offset;
            if head.headers().contains_key("media-id") {
                return;
            }
            let part = request("PATCH", &upload)
                .header("content-type", "application/offset+octet-stream")
                .header("upload-offset", offset);
            let _ = part.body(bytes[offset..].to_vec()).send().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Node and tus-js-client; .ci/clients runs it"]
async fn u01_tus_js_client_survives_kill_9_and_broken_connections() {
    survives(|address, bytes| async move {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cat.png");
        std::fs::write(&file, bytes).unwrap();
        let modules = std::env::var("TUS_JS_CLIENT").expect("the folder of tus-js-client");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/routes/clients/tus.mjs");
        let mut node = Command::new("node");
        node.arg(script).arg(modules).arg(format!("http://{address}/up/tus")).arg(file);
        let status = tokio::task::spawn_blocking(move || node.status()).await.unwrap().unwrap();
        assert!(status.success());
    })
    .await;
}
