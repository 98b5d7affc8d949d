//! The middleware.

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use tower_service::Service;

use super::{check::Guard, future::ResponseFuture};
use crate::util::drain_body::drain_on_drop;

/// Middleware that calls its inner service only with requests whose media ids all belong to the
/// caller. Made by [`VerifyMediaLayer`](super::VerifyMediaLayer).
///
/// See the [module docs](crate::verify) for an example.
pub struct VerifyMedia<I, E, S = ()> {
    inner: I,
    guard: Arc<Guard<E, S>>,
}

impl<I, E, S> VerifyMedia<I, E, S> {
    pub(super) fn new(inner: I, guard: Guard<E, S>) -> Self {
        Self { inner, guard: Arc::new(guard) }
    }

    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &I {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut I {
        &mut self.inner
    }

    /// Returns the inner service and drops the guard.
    pub fn into_inner(self) -> I {
        self.inner
    }
}

impl<I, E, S> Service<Request> for VerifyMedia<I, E, S>
where
    I: Service<Request> + Clone,
    I::Response: IntoResponse,
{
    type Response = Response;
    type Error = I::Error;
    type Future = ResponseFuture<I>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The instance that reported ready goes into the future; its clone stays for the next request
        // and is polled for readiness again (promise G13).
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        let request = drain_on_drop(request);
        let check = (self.guard.check)(Arc::clone(&self.guard), request);
        ResponseFuture::new(check, ready)
    }
}

impl<I: Clone, E, S> Clone for VerifyMedia<I, E, S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guard: Arc::clone(&self.guard) }
    }
}

impl<I: fmt::Debug, E, S> fmt::Debug for VerifyMedia<I, E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyMedia")
            .field("inner", &self.inner)
            .field("guard", &self.guard)
            .finish()
    }
}
