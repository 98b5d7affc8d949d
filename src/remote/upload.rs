//! An upload on its way to the service: as a stream, hashed while it passes.

use std::{
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream, stream::BoxStream};
use reqwest::{Body, Method, RequestBuilder, multipart};
use sha2::{Digest as _, Sha256};

use super::{
    client::{Client, Retry},
    observe,
    response::Refusal,
    upload_progress::Progress,
};
use crate::protocol::decode::Record;
use crate::{
    error::{Error, ErrorKind, Result},
    id::ContentHash,
    media::{UploadBody, UploadParts, file_length, read_file},
    owner::Scope,
    util::byte_stream::with_idle_timeout,
};

/// How many of the first bytes tell what a file is.
const HEAD: usize = 64;

/// How many bytes of an upload that is at hand go out at a time, so that its progress shows.
const CHUNK: usize = 64 << 10;

/// Sends an upload and returns the record, once it is certain that the service has the very bytes.
pub(super) async fn upload(client: &Client, user_id: &str, parts: UploadParts) -> Result<Record> {
    let UploadParts { body, file_name, scope, skips_processing, .. } = parts;
    let name = ascii_name(file_name.as_deref());
    let fields = Fields { name: &name, user_id, scope: &scope, skips_processing };
    let mut source = Source::of(body).await?;
    let mut passed = Arc::default();
    let answer = client.send_any("upload", source.retry(), || {
        let progress = Progress::default();
        passed = Arc::default();
        // It is only awaited while the connection takes more.
        let stream = with_idle_timeout(client.idle_timeout, source.pieces(), stood_still);
        let stream = Hashed { stream, passed: Arc::clone(&passed) }.boxed();
        let stream = Body::wrap_stream(Moving { stream, progress: progress.clone() });
        let part = match source.length {
            Some(length) => multipart::Part::stream_with_length(stream, length),
            None => multipart::Part::stream(stream),
        };
        (fields.request(client, part), progress)
    });
    let answer = answer.await;
    let Passed { seen, failed } =
        std::mem::take(&mut *passed.lock().unwrap_or_else(PoisonError::into_inner));
    // What the stream itself failed with says more than that the connection broke off.
    let answer = failed.map_or(answer, Err)?;
    let record: Record = client.json(answer.map_err(refused)?).await?;
    seen.compare(&record, &name)?;
    Ok(record)
}

/// Tells refusals apart that the service gives one status.
fn refused(refusal: Refusal) -> Error {
    match refusal.reason.as_deref() {
        Some(reason) if reason.starts_with("File too large") => {
            Error::new(ErrorKind::TooLarge, "the media is larger than the media service takes")
        }
        Some("HEIC conversion failed") => {
            Error::new(ErrorKind::Failed, "the media looks like HEIC and could not be read")
        }
        _ => refusal.into(),
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
        // The service uses the bytes and the name, and ignores the part's type.
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

/// Where the bytes come from: once, or as often as they are sent.
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
    async fn of(body: UploadBody) -> Result<Self> {
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

    /// Content addressing makes it the same upload each time it arrives.
    fn retry(&self) -> Retry {
        match self.origin {
            Origin::Bytes(_) | Origin::File(..) => Retry::ServerErrors,
            Origin::Stream(_) => Retry::Never,
        }
    }

    fn pieces(&mut self) -> BoxStream<'static, Result<Bytes>> {
        match &mut self.origin {
            Origin::Bytes(bytes) => chunks(bytes.clone()),
            Origin::File(path, length) => read_file(path.clone(), *length),
            Origin::Stream(stream) => stream.take().expect("a stream is sent once"),
        }
    }
}

fn chunks(bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
    let chunks = (0..bytes.len()).step_by(CHUNK);
    stream::iter(chunks.map(move |at| Ok(bytes.slice(at..bytes.len().min(at + CHUNK))))).boxed()
}

fn stood_still(idle: Duration) -> Error {
    Error::timeout("the next bytes of the upload", idle)
}

/// The name as the service can take it: a name beyond ASCII is an error there, and only an empty one is
/// none. The ending stays, for it decides the type of what is no picture.
fn ascii_name(name: Option<&str>) -> String {
    let plain = |c: char| if c.is_ascii() && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
    name.unwrap_or_default().chars().map(plain).collect()
}

/// What is known of the bytes that have passed.
#[derive(Default)]
struct Seen {
    hash: Sha256,
    head: Vec<u8>,
}

impl Seen {
    fn take_in(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        let missing = HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
    }

    /// Compares with what the service says it has. It turns HEIC into JPEG before it hashes.
    fn compare(self, record: &Record, name: &str) -> Result<()> {
        let name = name.to_ascii_lowercase();
        let converted =
            infer::image::is_heif(&self.head) || name.ends_with(".heic") || name.ends_with(".heif");
        let hash = ContentHash::from_bytes(self.hash.finalize().into());
        if converted || record.hash == hash.to_string() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Integrity, "the media service has other bytes than were sent"))
    }
}

/// What became of a stream.
#[derive(Default)]
struct Passed {
    seen: Seen,
    failed: Option<Error>,
}

/// A stream that is hashed while it passes, and whose error is kept.
struct Hashed {
    stream: BoxStream<'static, Result<Bytes>>,
    passed: Arc<Mutex<Passed>>,
}

impl Stream for Hashed {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.stream.poll_next_unpin(cx));
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(next.map(|next| {
            next.inspect(|bytes| passed.seen.take_in(bytes)).map_err(|error| {
                let told = Error::new(error.kind(), "the upload broke off");
                passed.failed = Some(error);
                told
            })
        }))
    }
}

/// A stream that says how it gets on.
struct Moving {
    stream: BoxStream<'static, Result<Bytes>>,
    progress: Progress,
}

impl Stream for Moving {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.poll_next_unpin(cx);
        match &next {
            Poll::Pending => self.progress.waits(),
            Poll::Ready(Some(Err(_))) => self.progress.breaks_off(),
            Poll::Ready(Some(Ok(chunk))) => {
                self.progress.moved();
                observe::sent(chunk.len());
            }
            Poll::Ready(None) => self.progress.is_over(),
        }
        next
    }
}
