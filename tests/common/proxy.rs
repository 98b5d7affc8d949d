//! TCP proxy with switchable faults, in front of a real server.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "used by several tests, each of which has its own faults")]
pub enum Fault {
    /// Forwards everything.
    None,
    /// Accepts connections and forwards nothing until the fault is lifted.
    Stalled,
    /// Forwards requests, and discards responses.
    HalfOpen,
    /// Closes every connection.
    Cut,
    /// Closes a connection after this number of bytes of the response.
    CutAfter(usize),
    /// Answers requests that begin with this text with 503: a method, or nothing for all of them.
    Refuses(&'static str),
}

/// A proxy on a free port of this machine, which ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fault = watch::Sender::new(Fault::None);
        let faults = fault.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(forward(client, target, faults.subscribe()));
            }
        });
        Self { address, fault, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr, mut faults: watch::Receiver<Fault>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut request, mut response) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut answered = 0;
    loop {
        let fault = *faults.borrow_and_update();
        let done = match fault {
            Fault::Cut => return,
            Fault::Stalled => {
                if faults.changed().await.is_err() {
                    return;
                }
                continue;
            }
            _ => tokio::select! {
                changed = faults.changed() => changed.is_err(),
                read = client.read(&mut request) => match read {
                    Ok(0) | Err(_) => true,
                    // A client sends the next request after the response to the last, so each begins a read.
                    Ok(read) if refuses(fault, &request[..read]) => {
                        return answer_503(client, request[..read].to_vec()).await;
                    }
                    Ok(read) => server.write_all(&request[..read]).await.is_err(),
                },
                read = server.read(&mut response) => match read {
                    Ok(0) | Err(_) => true,
                    Ok(_) if fault == Fault::HalfOpen => false,
                    Ok(read) => {
                        let rest = match fault {
                            Fault::CutAfter(bytes) => bytes.saturating_sub(answered).min(read),
                            _ => read,
                        };
                        answered += rest;
                        client.write_all(&response[..rest]).await.is_err() || rest < read
                    }
                },
            },
        };
        if done {
            return;
        }
    }
}

fn refuses(fault: Fault, read: &[u8]) -> bool {
    matches!(fault, Fault::Refuses(start) if read.starts_with(start.as_bytes()))
}

/// Reads the rest of the head and of the body, so that the client sees the response instead of a reset
/// connection.
async fn answer_503(mut client: TcpStream, mut head: Vec<u8>) {
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match client.read_buf(&mut head).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let answer =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.shutdown().await;
    let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
}
