//! Serves connections as `axum::serve` does, with a timeout for the head of a request.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, time::timeout};
use tower::ServiceExt as _;

/// The timeouts of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// The time in which a client must send the head of a request, also the next one on a connection.
    pub(crate) head: Duration,
    /// The time that running requests have after the signal to stop.
    pub(crate) grace: Duration,
}

/// Serves HTTP/1.1 until `stop` completes, and then the running requests. Requests carry the
/// [`ConnectInfo`] of the peer. Returns `false` if requests were still running after the grace period.
pub(crate) async fn serve(
    mut listener: TcpListener,
    app: Router,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(timeouts.head);
    let connections = GracefulShutdown::new();
    let accept = async {
        loop {
            let (stream, peer) = Listener::accept(&mut listener).await;
            let app = app.clone();
            let service = service_fn(move |request| app.clone().oneshot(with_peer(request, peer)));
            let connection = http.serve_connection(TokioIo::new(stream), service);
            let connection = connections.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%peer, %error, "a connection ended early");
                }
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = stop => {}
    }
    drop(listener);
    timeout(timeouts.grace, connections.shutdown()).await.is_ok()
}

fn with_peer(request: Request<Incoming>, peer: SocketAddr) -> Request {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::routing::{get, post};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        sync::oneshot,
    };

    use super::*;

    const TIMEOUTS: Timeouts =
        Timeouts { head: Duration::from_millis(200), grace: Duration::from_secs(60) };

    fn app() -> Router {
        Router::new()
            .route(
                "/peer",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
            )
            .route("/length", post(|body: String| async move { body.len().to_string() }))
    }

    async fn connect(
        timeouts: Timeouts,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        tokio::spawn(serve(listener, app(), timeouts, stop));
        TcpStream::connect(address).await.expect("the server listens")
    }

    /// Sends `request`, and returns everything until the server closes the connection.
    async fn exchange(socket: &mut TcpStream, request: &str) -> String {
        socket.write_all(request.as_bytes()).await.expect("an open connection");
        let mut response = String::new();
        let closed = timeout(Duration::from_secs(10), socket.read_to_string(&mut response)).await;
        closed.expect("the server closes the connection").expect("UTF-8");
        response
    }

    #[tokio::test]
    async fn half_a_head_is_closed_after_the_timeout() {
        for head in ["", "GET", "GET /peer HTTP/1.1\r\nHost: x\r\n"] {
            let mut socket = connect(TIMEOUTS, pending()).await;
            let response = exchange(&mut socket, head).await;
            assert!(!response.contains("200"), "{head:?}: {response}");
        }
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_after_the_timeout() {
        let mut socket = connect(TIMEOUTS, pending()).await;
        let peer = socket.local_addr().expect("a connected socket").to_string();
        let response = exchange(&mut socket, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.1 200") && response.ends_with(&peer), "{response}");
    }

    #[tokio::test]
    async fn the_timeout_of_the_head_does_not_end_a_body() {
        let mut socket = connect(TIMEOUTS, pending()).await;
        let head =
            "POST /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\na";
        socket.write_all(head.as_bytes()).await.expect("an open connection");
        // A second connection is closed by the timeout of the head, which has then passed for the first as well.
        let address = socket.peer_addr().expect("a connected socket");
        let mut second = TcpStream::connect(address).await.expect("the server listens");
        exchange(&mut second, "").await;
        let response = exchange(&mut socket, "b").await;
        assert!(response.starts_with("HTTP/1.1 200") && response.ends_with('2'), "{response}");
    }

    #[tokio::test]
    async fn running_requests_finish_after_the_signal_to_stop() {
        let (stop, stopped) = oneshot::channel::<()>();
        let timeouts = Timeouts { head: Duration::from_secs(60), ..TIMEOUTS };
        let mut socket = connect(timeouts, async { drop(stopped.await) }).await;
        let head =
            "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        socket.write_all(head.as_bytes()).await.expect("an open connection");
        // `100 Continue` shows that the handler is running.
        let mut interim = [0; 25];
        socket.read_exact(&mut interim).await.expect("an interim response");
        stop.send(()).expect("a running server");
        let response = exchange(&mut socket, "ab").await;
        assert!(response.starts_with("HTTP/1.1 200") && response.ends_with('2'), "{response}");
    }
}
