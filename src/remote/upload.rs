//! An upload on its way to the service: as a stream, hashed while it passes.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use reqwest::{Body, Method, RequestBuilder, multipart};
use sha2::{Digest as _, Sha256};

use super::{
    client::{Client, Refusal, Retry},
    observe,
    progress::Progress,
    wire::Record,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::ContentHash,
    upload::{UploadBody, UploadClaims},
};

/// How many of the first bytes tell what a file is.
const HEAD: usize = 64;

/// How many bytes of an upload that is at hand go out at a time, so that its progress shows.
const CHUNK: usize = 64 << 10;

/// Sends an upload and returns the record, once it is certain that the service has the very bytes.
pub(super) async fn upload(
    client: &Client,
    body: UploadBody,
    claims: &UploadClaims,
) -> Result<Record> {
    let name = ascii_name(claims.file_name.as_deref());
    let (answer, seen) = match body {
        UploadBody::Bytes(bytes) => {
            let mut seen = Seen::default();
            seen.take_in(&bytes);
            // Content addressing makes it the same upload each time it arrives.
            let answer = client.send_any(Retry::ServerErrors, || {
                let progress = Progress::default();
                let length = bytes.len() as u64;
                let chunks = Moving { stream: chunks(bytes.clone()), progress: progress.clone() };
                let part = multipart::Part::stream_with_length(Body::wrap_stream(chunks), length);
                (request(client, part, &name, claims), progress)
            });
            (answer.await?, seen)
        }
        UploadBody::Stream(stream) => {
            let passed = Arc::new(Mutex::new(Passed::default()));
            let stream = unless_idle(stream, client.idle_timeout);
            let stream = Hashed { stream, passed: Arc::clone(&passed) }.boxed();
            let progress = Progress::default();
            let stream = Moving { stream, progress: progress.clone() };
            let part = multipart::Part::stream(Body::wrap_stream(stream));
            let mut request = Some((request(client, part, &name, claims), progress));
            let make = || request.take().expect("a stream is sent once");
            let answer = client.send_any(Retry::Never, make).await;
            let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
            // What the stream itself failed with says more than that the connection broke off.
            if let Some(error) = passed.failed.take() {
                return Err(error);
            }
            (answer?, std::mem::take(&mut passed.seen))
        }
    };
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

fn request(
    client: &Client,
    file: multipart::Part,
    name: &str,
    claims: &UploadClaims,
) -> RequestBuilder {
    // The service goes by the bytes and the name; it ignores the part's type.
    let form = multipart::Form::new()
        .text("app", claims.scope.as_str().to_owned())
        .text("userId", claims.owner.subject().to_owned())
        .part("file", file.file_name(name.to_owned()));
    client.request(Method::POST, &["upload"]).multipart(form)
}

fn chunks(bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
    let chunks = (0..bytes.len()).step_by(CHUNK);
    stream::iter(chunks.map(move |at| Ok(bytes.slice(at..bytes.len().min(at + CHUNK))))).boxed()
}

/// The stream, with an error at its end if it stands still. It is only awaited while the connection
/// takes more.
fn unless_idle(
    stream: BoxStream<'static, Result<Bytes>>,
    idle: Duration,
) -> BoxStream<'static, Result<Bytes>> {
    let next = move |mut stream: BoxStream<'static, Result<Bytes>>| async move {
        let next = tokio::time::timeout(idle, stream.try_next()).await;
        let bytes = next.map_err(|_| Error::timeout("the next bytes of the upload", idle))??;
        Ok(bytes.map(|bytes| (bytes, stream)))
    };
    stream::try_unfold(stream, next).boxed()
}

/// The name as the service can take it: a name beyond ASCII is an error there, and a part without a
/// name is no file. The ending stays, for it decides the type of what is no picture.
fn ascii_name(name: Option<&str>) -> String {
    let plain = |c: char| if c.is_ascii() && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
    name.unwrap_or("file").chars().map(plain).collect()
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
            Poll::Ready(chunk) => {
                self.progress.moved();
                observe::sent(chunk.iter().flatten().map(Bytes::len).sum());
            }
        }
        next
    }
}
