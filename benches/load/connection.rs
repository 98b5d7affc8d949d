//! A persistent connection whose client side uses little CPU.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        Self { socket, buffer: vec![0; 1 << 20] }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// Reads a response to its end, and returns the length of its body, and the body if it is short.
    pub async fn read(&mut self, status: u16) -> (usize, &[u8]) {
        let mut read = 0;
        let end = loop {
            let more = self.socket.read(&mut self.buffer[read..]).await.unwrap();
            assert!(more > 0, "the server closed the connection");
            read += more;
            if let Some(end) = self.buffer[..read].windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..end]).unwrap().to_ascii_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        let mut left = length - (read - end);
        if end + length <= self.buffer.len() {
            self.socket.read_exact(&mut self.buffer[read..end + length]).await.unwrap();
            return (length, &self.buffer[end..end + length]);
        }
        while left > 0 {
            left -= self.socket.read(&mut self.buffer).await.unwrap().min(left);
        }
        (length, &[])
    }

    /// Sends a request and reads its response.
    pub async fn send(&mut self, request: &[u8], status: u16) -> (usize, &[u8]) {
        self.write(request).await;
        self.read(status).await
    }
}
