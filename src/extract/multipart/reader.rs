//! Backpressure for a multipart body: it is read no further than the current part needs.
//!
//! multer reads every chunk that a body has ready each time it is polled, and buffers the preamble and the
//! head of a part until they are complete. Here a gate before the body lets one chunk through at a time,
//! and only if multer cannot continue with the bytes that it has. Chunks are split to a small size, because
//! multer searches its whole buffer again for each chunk.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::BodyDataStream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use mime::Mime;
use multer::Field;
use parking_lot::Mutex;

use super::content_disposition::ContentDisposition;
use crate::{
    error::{Error, ErrorKind, Result},
    extract::guarded::is_over_limit,
};

/// The greatest size of the head of a part in bytes, without the rest of the previous chunk.
const MAX_HEAD: usize = 16 << 10;

/// The greatest size of a chunk that the gate lets through, in bytes.
const MAX_CHUNK: usize = 16 << 10;

/// Reads the parts of a form in order.
pub(crate) struct Reader {
    parts: multer::Multipart<'static>,
    gate: Gate,
    unread: Unread,
}

/// A part that was dropped before its end, whose rest must be skipped.
type Unread = Arc<Mutex<Option<Field<'static>>>>;

impl Reader {
    pub(super) fn new(body: BodyDataStream, boundary: String) -> Self {
        let gate = Gate::default();
        let body = GatedBody { body, chunk: Bytes::new(), gate: gate.clone() };
        Self { parts: multer::Multipart::new(body, boundary), gate, unread: Unread::default() }
    }

    /// Returns the next part. Skips the unread rest of the previous one.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        let unread = self.unread.lock().take();
        if let Some(field) = unread {
            // As a `Part`, whose `Drop` stores it again if this future is dropped.
            let mut part = self.part(field);
            while part.try_next().await?.is_some() {}
        }
        let begin = self.gate.0.lock().drawn;
        let (parts, gate) = (&mut self.parts, &self.gate);
        let field = poll_fn(|cx| {
            gate.poll(cx, |cx| {
                let field = parts.poll_next_field(cx);
                if field.is_pending() && gate.0.lock().drawn - begin > MAX_HEAD {
                    let what = format!("the head of a form's part is larger than {MAX_HEAD} bytes");
                    return Poll::Ready(Err(Error::new(ErrorKind::TooLarge, what)));
                }
                field.map_err(multipart_error)
            })
        })
        .await?;
        Ok(field.map(|field| self.part(field)))
    }

    fn part(&self, field: Field<'static>) -> Part {
        Part {
            disposition: ContentDisposition::of(field.headers()),
            field: Some(field),
            peeked: None,
            gate: self.gate.clone(),
            unread: Arc::clone(&self.unread),
        }
    }
}

/// A part of a form: its head, and a stream of its bytes.
pub(crate) struct Part {
    disposition: ContentDisposition,
    // `None` after its end.
    field: Option<Field<'static>>,
    // A chunk that was read ahead.
    peeked: Option<Bytes>,
    gate: Gate,
    unread: Unread,
}

impl Part {
    /// Reads ahead to the first byte, and returns `true` if the part has no bytes. A dropped future loses
    /// nothing.
    pub(crate) async fn is_empty(&mut self) -> Result<bool> {
        while self.peeked.is_none() {
            match self.try_next().await? {
                None => return Ok(true),
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => self.peeked = Some(chunk),
            }
        }
        Ok(false)
    }

    /// Returns the names in the head.
    pub(crate) fn disposition(&self) -> &ContentDisposition {
        &self.disposition
    }

    /// Returns the declared content type, or `None` after the part was read to its end.
    pub(crate) fn content_type(&self) -> Option<&Mime> {
        self.field.as_ref()?.content_type()
    }
}

impl Stream for Part {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let part = &mut *self;
        if let Some(chunk) = part.peeked.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        let Some(field) = &mut part.field else { return Poll::Ready(None) };
        let chunk = ready!(part.gate.poll(cx, |cx| {
            field.poll_next_unpin(cx).map(|chunk| chunk.transpose()).map_err(multipart_error)
        }));
        let chunk = chunk.transpose();
        if !matches!(chunk, Some(Ok(_))) {
            part.field = None;
        }
        Poll::Ready(chunk)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // A part that was read to its end must not replace a later one that is stored already.
        if let Some(field) = self.field.take() {
            *self.unread.lock() = Some(field);
        }
    }
}

/// A gate before the body, which lets one chunk through each time it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<GateState>>);

#[derive(Default)]
struct GateState {
    open: bool,
    ended: bool,
    drawn: usize,
}

impl Gate {
    /// Polls with the chunks that multer has, and lets one more chunk through while that is not enough.
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        let mut result = poll(cx);
        while result.is_pending() {
            let GateState { ended, drawn, .. } = *self.0.lock();
            if ended {
                return Poll::Ready(Err(invalid("the form ends too early")));
            }
            self.0.lock().open = true;
            result = poll(cx);
            self.0.lock().open = false;
            let flow = self.0.lock();
            if result.is_pending() && flow.drawn == drawn && !flow.ended {
                // The body had no chunk ready and will wake the task.
                return Poll::Pending;
            }
        }
        result
    }
}

/// The body behind the gate.
struct GatedBody {
    body: BodyDataStream,
    // The rest of the body's last chunk.
    chunk: Bytes,
    gate: Gate,
}

impl Stream for GatedBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { body, chunk, gate } = self.get_mut();
        if !gate.0.lock().open {
            return Poll::Pending;
        }
        if chunk.is_empty() {
            match ready!(body.poll_next_unpin(cx)) {
                Some(Ok(next)) => *chunk = next,
                end => {
                    let mut flow = gate.0.lock();
                    (flow.ended, flow.open) = (true, false);
                    return Poll::Ready(end);
                }
            }
        }
        let first = chunk.split_to(chunk.len().min(MAX_CHUNK));
        let mut flow = gate.0.lock();
        flow.drawn += first.len();
        // After an empty chunk the gate stays open, because multer cannot continue with it.
        flow.open = first.is_empty();
        Poll::Ready(Some(Ok(first)))
    }
}

pub(super) fn invalid(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}

fn multipart_error(error: multer::Error) -> Error {
    if is_over_limit(&error) {
        return Error::new(ErrorKind::TooLarge, "the form is larger than this route allows");
    }
    match error {
        multer::Error::LockFailure => {
            Error::new(ErrorKind::Internal, "the previous file of the form is still held")
        }
        error => invalid(format!("the form cannot be read: {error}")).with_source(error),
    }
}
