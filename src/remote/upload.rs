//! Uploads: streamed to the service and hashed on the way.

use std::{
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream, stream::BoxStream};
use parking_lot::Mutex;
use reqwest::{Body, Method, RequestBuilder, multipart};
use sha2::{Digest as _, Sha256};

use super::{
    client::{Client, Retry},
    observe,
    response::{ErrorResponse, SendError},
    upload_progress::UploadProgress,
};
use crate::protocol::Record;
use crate::{
    error::{Error, ErrorKind, Result},
    id::ContentHash,
    media::{UploadBody, UploadParts, file_length, read_file},
    owner::Scope,
    util::byte_stream::with_idle_timeout,
};

/// The number of leading bytes that the detection of HEIC needs.
const HEAD: usize = 64;

/// The chunk size of an upload from memory. Chunks make its progress visible.
const CHUNK: usize = 64 << 10;

/// Sends an upload and returns the record, whose hash must be that of the sent bytes.
pub(super) async fn upload(client: &Client, user_id: &str, parts: UploadParts) -> Result<Record> {
    let UploadParts { body, file_name, scope, skips_processing, .. } = parts;
    let name = ascii_name(file_name.as_deref());
    let fields = Fields { name: &name, user_id, scope: &scope, skips_processing };
    let mut source = Source::new(body).await?;
    let mut sent = Arc::default();
    let reply = client.send_with("upload", source.retry(), || {
        let progress = UploadProgress::default();
        sent = Arc::default();
        // The timeout runs only while the connection waits for the next chunk.
        let stream = with_idle_timeout(client.idle_timeout, source.chunks(), source_timed_out);
        let stream = HashingStream { stream, sent: Arc::clone(&sent) }.boxed();
        let stream = Body::wrap_stream(ReportingStream { stream, progress: progress.clone() });
        let part = match source.length {
            Some(length) => multipart::Part::stream_with_length(stream, length),
            None => multipart::Part::stream(stream),
        };
        (fields.request(client, part), progress)
    });
    let reply = reply.await;
    let Sent { digest, error } = std::mem::take(&mut *sent.lock());
    // The error of the source is the cause of the broken connection.
    if let Some(error) = error {
        return Err(error);
    }
    let reply = reply.map_err(|error| match error {
        SendError::Status(response) => rejected(response),
        SendError::NoResponse(error) => error,
    })?;
    let call = reply.call;
    let record: Record = client.json(reply).await?;
    if !digest.matches(&record, &name) {
        let what = "the media service stored other bytes than were sent";
        return Err(call.error(ErrorKind::Integrity, what));
    }
    Ok(record)
}

/// Distinguishes rejections for which the service uses the same status.
fn rejected(response: ErrorResponse) -> Error {
    match response.reason.as_deref() {
        Some(reason) if reason.starts_with("File too large") => {
            let text = "the media is larger than the media service accepts";
            response.into_public(Error::new(ErrorKind::TooLarge, text))
        }
        Some("HEIC conversion failed") => {
            let text = "the media is not a readable HEIC image";
            response.into_public(Error::new(ErrorKind::Failed, text))
        }
        _ => response.into(),
    }
}

/// The fields of the multipart form.
struct Fields<'a> {
    name: &'a str,
    user_id: &'a str,
    scope: &'a Scope,
    skips_processing: bool,
}

impl Fields<'_> {
    fn request(&self, client: &Client, file: multipart::Part) -> RequestBuilder {
        // The service decides the type from the bytes and the name, and ignores the part's type.
        let mut form = multipart::Form::new()
            .text("app", self.scope.as_str().to_owned())
            .text("userId", self.user_id.to_owned());
        if self.skips_processing {
            form = form.text("skipProcessing", "true");
        }
        let form = form.part("file", file.file_name(self.name.to_owned()));
        client.request(Method::POST, &["upload"]).multipart(form)
    }
}

/// The source of the bytes. Only a stream cannot be read again for a retry.
struct Source {
    length: Option<u64>,
    origin: Origin,
}

enum Origin {
    Bytes(Bytes),
    File(PathBuf, u64),
    Stream(Option<BoxStream<'static, Result<Bytes>>>),
}

impl Source {
    async fn new(body: UploadBody) -> Result<Self> {
        Ok(match body {
            UploadBody::Bytes(bytes) => {
                Self { length: Some(bytes.len() as u64), origin: Origin::Bytes(bytes) }
            }
            UploadBody::File(path) => {
                let length = file_length(&path).await?;
                Self { length: Some(length), origin: Origin::File(path, length) }
            }
            UploadBody::Stream(stream) => {
                Self { length: None, origin: Origin::Stream(Some(stream)) }
            }
        })
    }

    /// The service addresses media by content, so repeating an upload has no further effect.
    fn retry(&self) -> Retry {
        match self.origin {
            Origin::Bytes(_) | Origin::File(..) => Retry::OutageOrServerError,
            Origin::Stream(_) => Retry::Never,
        }
    }

    fn chunks(&mut self) -> BoxStream<'static, Result<Bytes>> {
        match &mut self.origin {
            Origin::Bytes(bytes) => chunks(bytes.clone()),
            Origin::File(path, length) => read_file(path.clone(), *length),
            Origin::Stream(stream) => stream.take().expect("a stream is never retried"),
        }
    }
}

fn chunks(bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
    let chunks = (0..bytes.len()).step_by(CHUNK);
    stream::iter(chunks.map(move |at| Ok(bytes.slice(at..bytes.len().min(at + CHUNK))))).boxed()
}

fn source_timed_out(idle: Duration) -> Error {
    Error::timeout("the next chunk of the upload", idle)
}

/// Replaces the characters of a file name that the service rejects. The extension stays, because it
/// decides the type of files that are not images. An empty name stands for an absent one.
fn ascii_name(name: Option<&str>) -> String {
    let plain = |c: char| if c.is_ascii() && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
    name.unwrap_or_default().chars().map(plain).collect()
}

/// The hash and the head of the bytes sent so far.
#[derive(Default)]
struct Digest {
    hash: Sha256,
    head: Vec<u8>,
}

impl Digest {
    fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        let missing = HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
    }

    /// Compares with the hash in the record. The service converts HEIC to JPEG before it hashes, so the
    /// hash of HEIC is not compared.
    fn matches(self, record: &Record, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let converted =
            infer::image::is_heif(&self.head) || name.ends_with(".heic") || name.ends_with(".heif");
        converted || record.hash == ContentHash::from_bytes(self.hash.finalize().into())
    }
}

/// The outcome of a stream.
#[derive(Default)]
struct Sent {
    digest: Digest,
    error: Option<Error>,
}

/// Hashes a stream and keeps its error.
struct HashingStream {
    stream: BoxStream<'static, Result<Bytes>>,
    sent: Arc<Mutex<Sent>>,
}

impl Stream for HashingStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.stream.poll_next_unpin(cx));
        let mut sent = self.sent.lock();
        Poll::Ready(next.map(|next| {
            next.inspect(|bytes| sent.digest.update(bytes)).map_err(|error| {
                let for_connection = Error::new(error.kind(), "the source of the upload failed");
                sent.error = Some(error);
                for_connection
            })
        }))
    }
}

/// Reports the progress of a stream.
struct ReportingStream {
    stream: BoxStream<'static, Result<Bytes>>,
    progress: UploadProgress,
}

impl Stream for ReportingStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.poll_next_unpin(cx);
        match &next {
            Poll::Pending => self.progress.source_pending(),
            Poll::Ready(Some(Err(_))) => self.progress.failed(),
            Poll::Ready(Some(Ok(chunk))) => {
                self.progress.chunk_sent();
                observe::sent(chunk.len());
            }
            Poll::Ready(None) => self.progress.finished(),
        }
        next
    }
}
