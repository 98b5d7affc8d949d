//! A multipart body that is read no further than the part in hand needs.
//!
//! multer takes in whatever a body has ready each time it is polled, and keeps a part's head, and
//! what stands before the first part, until it is whole. Here the body is behind a tap that lets one
//! piece through at a time, and only once multer cannot go on with what it has. A piece is never large,
//! whatever the body's chunks are: what multer waits in is searched again for each piece that comes.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use axum::body::BodyDataStream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use multer::Field;

use crate::{
    error::{Error, ErrorKind, Result},
    extract::guarded::is_over_limit,
};

/// The most bytes, beside what one piece has left over, that the head of a part may take.
const MAX_HEAD: usize = 16 << 10;

/// The most bytes that the tap lets through at a time.
const MAX_PIECE: usize = 16 << 10;

/// Reads the parts of a form, one after the other.
pub(crate) struct Reader {
    parts: multer::Multipart<'static>,
    tap: Tap,
    unread: Unread,
}

/// Where a part is put that was dropped before its end, so that its rest can be skipped.
type Unread = Arc<Mutex<Option<Field<'static>>>>;

impl Reader {
    pub(super) fn new(body: BodyDataStream, boundary: String) -> Self {
        let tap = Tap::default();
        let body = Tapped { body, chunk: Bytes::new(), tap: tap.clone() };
        Self { parts: multer::Multipart::new(body, boundary), tap, unread: Unread::default() }
    }

    /// Goes on to the next part, which skips what is left of the one before.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        let unread = lock(&self.unread).take();
        if let Some(field) = unread {
            // As a part, so that it is put back if this future is dropped.
            let mut part = self.part(field);
            while part.try_next().await?.is_some() {}
        }
        let begin = lock(&self.tap.0).drawn;
        let (parts, tap) = (&mut self.parts, &self.tap);
        let field = poll_fn(|cx| {
            tap.poll(cx, |cx| {
                let field = parts.poll_next_field(cx);
                if field.is_pending() && lock(&tap.0).drawn - begin > MAX_HEAD {
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
        Part { field: Some(field), tap: self.tap.clone(), unread: Arc::clone(&self.unread) }
    }
}

/// One part: what its head says, and a stream of its bytes.
pub(crate) struct Part {
    // Until its end.
    field: Option<Field<'static>>,
    tap: Tap,
    unread: Unread,
}

impl Part {
    /// Returns the head, while the part has not been read to its end.
    pub(crate) fn head(&self) -> Option<&Field<'static>> {
        self.field.as_ref()
    }
}

impl Stream for Part {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let part = &mut *self;
        let Some(field) = &mut part.field else { return Poll::Ready(None) };
        let chunk = ready!(part.tap.poll(cx, |cx| {
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
        // One that was read to its end says nothing of a later one, which may be waiting already.
        if let Some(field) = self.field.take() {
            *lock(&self.unread) = Some(field);
        }
    }
}

/// Lets pieces of the body through, one each time it is opened.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<Flow>>);

#[derive(Default)]
struct Flow {
    open: bool,
    ended: bool,
    drawn: usize,
}

impl Tap {
    /// Polls with what has been drawn already, and with one piece more as long as that is not enough.
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        let mut result = poll(cx);
        while result.is_pending() {
            let Flow { ended, drawn, .. } = *lock(&self.0);
            if ended {
                return Poll::Ready(Err(invalid("the form ends too early")));
            }
            lock(&self.0).open = true;
            result = poll(cx);
            lock(&self.0).open = false;
            let flow = lock(&self.0);
            if result.is_pending() && flow.drawn == drawn && !flow.ended {
                // Nothing came: the body itself will wake the task.
                return Poll::Pending;
            }
        }
        result
    }
}

/// The body behind the tap.
struct Tapped {
    body: BodyDataStream,
    // What has not been let through yet of the body's latest chunk.
    chunk: Bytes,
    tap: Tap,
}

impl Stream for Tapped {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { body, chunk, tap } = self.get_mut();
        if !lock(&tap.0).open {
            return Poll::Pending;
        }
        if chunk.is_empty() {
            match ready!(body.poll_next_unpin(cx)) {
                Some(Ok(next)) => *chunk = next,
                end => {
                    let mut flow = lock(&tap.0);
                    (flow.ended, flow.open) = (true, false);
                    return Poll::Ready(end);
                }
            }
        }
        let piece = chunk.split_to(chunk.len().min(MAX_PIECE));
        let mut flow = lock(&tap.0);
        flow.drawn += piece.len();
        // An empty chunk is no reason to think that nothing came.
        flow.open = piece.is_empty();
        Poll::Ready(Some(Ok(piece)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
