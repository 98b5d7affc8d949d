//! The middleware.

use std::{
    fmt,
    marker::PhantomData,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use tower_service::Service;

use super::{
    future::ResponseFuture,
    guard::{ByTrait, Guard, IdSource},
};
use crate::extract::{GuardedExtractor, OwnerExtension, OwnerSource};

/// Middleware that calls its inner service only with requests whose media ids all belong to the
/// caller. Made by [`VerifyMediaLayer`](super::VerifyMediaLayer).
///
/// See the [module docs](crate::verify) for an example.
pub struct VerifyMedia<I, E, M, S = (), O = OwnerExtension, C = ByTrait> {
    inner: I,
    guard: Arc<Guard<S, O, C>>,
    marker: PhantomData<fn() -> (E, M)>,
}

impl<I, E, M, S, O, C> VerifyMedia<I, E, M, S, O, C> {
    pub(super) fn new(inner: I, guard: Guard<S, O, C>) -> Self {
        Self { inner, guard: Arc::new(guard), marker: PhantomData }
    }

    /// Returns the inner service.
    pub fn get_ref(&self) -> &I {
        &self.inner
    }

    /// Returns the inner service to be changed.
    pub fn get_mut(&mut self) -> &mut I {
        &mut self.inner
    }

    /// Returns the inner service and drops the guard.
    pub fn into_inner(self) -> I {
        self.inner
    }
}

impl<I, E, M, S, O, C> Service<Request> for VerifyMedia<I, E, M, S, O, C>
where
    I: Service<Request> + Clone,
    I::Response: IntoResponse,
    E: GuardedExtractor<S, M>,
    M: 'static,
    S: Send + Sync + 'static,
    O: OwnerSource<S>,
    C: IdSource<E>,
{
    type Response = Response;
    type Error = I::Error;
    type Future = ResponseFuture<I>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The instance that reported ready goes into the future; its clone stays for the next
        // request, which will ask it whether it is ready (promise G13).
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        let guard = Arc::clone(&self.guard);
        // Taken apart out here, because a future keeps room for each place a value is moved to.
        let (mut parts, mut body) = request.into_parts();
        let check = async move {
            guard.check::<E, M>(&mut parts, &mut body).await?;
            Ok(Request::from_parts(parts, body))
        };
        ResponseFuture::new(Box::pin(check), ready)
    }
}

impl<I: Clone, E, M, S, O, C> Clone for VerifyMedia<I, E, M, S, O, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guard: Arc::clone(&self.guard), marker: PhantomData }
    }
}

impl<I: fmt::Debug, E, M, S, O: fmt::Debug, C> fmt::Debug for VerifyMedia<I, E, M, S, O, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyMedia")
            .field("inner", &self.inner)
            .field("extractor", &std::any::type_name::<E>())
            .field("guard", &self.guard)
            .finish()
    }
}
