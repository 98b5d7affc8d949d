//! An HTTP server on a socket that runs a script per request, valid HTTP or not.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// The handling of one request, given the connection and the request's first line.
#[derive(Clone)]
pub struct Script(Arc<dyn Fn(Conn, String) -> BoxFuture<'static, Conn> + Send + Sync>);

impl Script {
    /// Runs once the request's head has arrived.
    pub fn new<F>(run: impl Fn(Conn, String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Conn> + Send + 'static,
    {
        Self(Arc::new(move |conn, line| run(conn, line).boxed()))
    }

    /// Runs once the whole request has arrived.
    pub fn after_body<F>(run: impl Fn(Conn) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Conn> + Send + 'static,
    {
        Self::new(move |mut conn, _| {
            let run = run.clone();
            async move {
                conn.body().await;
                run(conn).await
            }
        })
    }

    /// Sends `text` and waits for the next request.
    pub fn says(text: impl AsRef<[u8]>) -> Self {
        let text = Bytes::copy_from_slice(text.as_ref());
        Self::after_body(move |mut conn| {
            let text = text.clone();
            async move {
                conn.send(&text).await;
                conn
            }
        })
    }

    /// Handles the first request with `first`, and the others with `then`.
    pub fn once(first: Script, then: Script) -> Self {
        let asked = AtomicBool::new(false);
        Self(Arc::new(move |conn, line| {
            let script = if asked.swap(true, Relaxed) { &then } else { &first };
            script.0(conn, line)
        }))
    }

    /// Calls `note` at each request, then runs `then`.
    pub fn noting(then: Script, note: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |conn, line| {
            note();
            then.0(conn, line)
        }))
    }

    pub async fn run(&self, conn: Conn, line: String) -> Conn {
        self.0(conn, line).await
    }

    /// Handles requests whose first line starts with `start` with `other`.
    pub fn with(self, start: &'static str, other: Script) -> Self {
        Self(Arc::new(move |conn, line| {
            let script = if line.starts_with(start) { &other } else { &self };
            script.0(conn, line)
        }))
    }
}

/// A server. It fails the test if one of its scripts panics.
pub struct Raw {
    addr: SocketAddr,
    socket: Option<TcpSocket>,
    accepting: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Script>,
    connections: AtomicUsize,
    heads: Mutex<Vec<String>>,
    read: AtomicU64,
    written: AtomicU64,
    panicked: AtomicBool,
}

impl Raw {
    /// Starts a server that runs `script`.
    pub fn start(script: Script) -> Self {
        let mut server = Self::deaf(script);
        server.listen();
        server
    }

    /// Reserves a port that refuses connections until [`listen`](Self::listen).
    pub fn deaf(script: Script) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let shared = Shared {
            script: Mutex::new(script),
            connections: AtomicUsize::new(0),
            heads: Mutex::default(),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            panicked: AtomicBool::new(false),
        };
        let addr = socket.local_addr().unwrap();
        Self { addr, socket: Some(socket), accepting: None, shared: Arc::new(shared) }
    }

    pub fn listen(&mut self) {
        if let Some(socket) = self.socket.take() {
            let listener = socket.listen(1024).unwrap();
            self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        }
    }

    /// Runs another script from the next request on.
    pub fn set(&self, script: Script) {
        *self.shared.script.lock().unwrap() = script;
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Relaxed)
    }

    /// The number of requests whose first line starts with `start`.
    pub fn requests(&self, start: &str) -> usize {
        self.shared.heads.lock().unwrap().iter().filter(|head| head.starts_with(start)).count()
    }

    /// The heads of all requests.
    pub fn heads(&self) -> String {
        self.shared.heads.lock().unwrap().concat()
    }

    /// The number of bytes read from clients.
    pub fn read(&self) -> u64 {
        self.shared.read.load(Relaxed)
    }

    /// The number of bytes written to sockets.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Relaxed)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        let panicked = self.shared.panicked.load(Relaxed);
        assert!(std::thread::panicking() || !panicked, "the server's script panicked");
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, so no connection outlives the server.
    let mut serving = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        shared.connections.fetch_add(1, Relaxed);
        let conn = Conn {
            stream,
            buffer: BytesMut::new(),
            left: Left::Nothing,
            open: true,
            shared: Arc::clone(&shared),
        };
        serving.spawn(serve(conn));
    }
}

async fn serve(mut conn: Conn) {
    let _flag = PanicFlag(Arc::clone(&conn.shared));
    while let Some(line) = conn.head().await {
        let script = conn.shared.script.lock().unwrap().clone();
        conn = script.0(conn, line).await;
        if !conn.open {
            return;
        }
    }
}

struct PanicFlag(Arc<Shared>);

impl Drop for PanicFlag {
    fn drop(&mut self) {
        self.0.panicked.fetch_or(std::thread::panicking(), Relaxed);
    }
}

/// A connection during a request.
pub struct Conn {
    stream: TcpStream,
    buffer: BytesMut,
    left: Left,
    open: bool,
    shared: Arc<Shared>,
}

/// The unread rest of a request's body.
enum Left {
    Nothing,
    Length(u64),
    /// The last bytes read, to detect the last chunk.
    Chunked(Vec<u8>),
}

impl Conn {
    /// Reads a request's head and returns its first line.
    async fn head(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill().await {
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.split_to(end).to_vec()).unwrap();
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        self.left = match length {
            Some(length) => Left::Length(length.parse().unwrap()),
            None if lower.contains("transfer-encoding: chunked") => Left::Chunked(Vec::new()),
            None => Left::Nothing,
        };
        let line = head.lines().next().unwrap().to_owned();
        self.shared.heads.lock().unwrap().push(head);
        Some(line)
    }

    async fn fill(&mut self) -> bool {
        let count = self.stream.read_buf(&mut self.buffer).await.unwrap_or(0);
        self.shared.read.fetch_add(count as u64, Relaxed);
        count > 0
    }

    /// Reads the next bytes of the body, chunk sizes included. Returns `None` at its end, or if the client
    /// disconnected, which closes the connection.
    pub async fn more(&mut self) -> Option<Bytes> {
        if matches!(self.left, Left::Nothing | Left::Length(0)) {
            return None;
        }
        if self.buffer.is_empty() && !self.fill().await {
            self.open = false;
            return None;
        }
        match &mut self.left {
            Left::Nothing => None,
            Left::Length(left) => {
                let take = usize::try_from(*left).unwrap().min(self.buffer.len());
                *left -= take as u64;
                Some(self.buffer.split_to(take).freeze())
            }
            Left::Chunked(tail) => {
                let bytes = self.buffer.split().freeze();
                tail.extend_from_slice(&bytes[bytes.len().saturating_sub(5)..]);
                tail.drain(..tail.len().saturating_sub(5));
                if tail == b"0\r\n\r\n" {
                    self.left = Left::Nothing;
                }
                Some(bytes)
            }
        }
    }

    /// Reads the body to its end. Returns false if it is truncated.
    pub async fn body(&mut self) -> bool {
        while self.more().await.is_some() {}
        self.open
    }

    /// Sends bytes. Returns false if the client has disconnected.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = self.stream.write_all(bytes).await.is_ok();
        self.open &= sent;
        if sent {
            self.shared.written.fetch_add(bytes.len() as u64, Relaxed);
        }
        sent
    }

    /// Closes the connection regularly.
    pub fn close(mut self) -> Self {
        self.open = false;
        self
    }

    /// Closes the connection with a reset.
    pub fn reset(self) -> Self {
        self.stream.set_zero_linger().unwrap();
        self.close()
    }
}
