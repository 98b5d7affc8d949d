//! The response future of the middleware.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// Response future of [`VerifyMedia`](super::VerifyMedia).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S: Service<Request>> {
        #[pin]
        state: State<S, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Checking { check: BoxFuture<'static, Result<Request, Response>>, inner: Option<S> },
        Calling { #[pin] call: F },
    }
}

impl<S: Service<Request>> ResponseFuture<S> {
    pub(super) fn new(check: BoxFuture<'static, Result<Request, Response>>, inner: S) -> Self {
        Self { state: State::Checking { check, inner: Some(inner) } }
    }
}

impl<S> Future for ResponseFuture<S>
where
    S: Service<Request>,
    S::Response: IntoResponse,
{
    type Output = Result<Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let call = match state.as_mut().project() {
                StateProj::Checking { check, inner } => match ready!(check.as_mut().poll(cx)) {
                    // The one place where the inner service is called (promise G1).
                    Ok(request) => {
                        inner.take().expect("future polled after completion").call(request)
                    }
                    Err(refusal) => return Poll::Ready(Ok(refusal)),
                },
                StateProj::Calling { call } => {
                    return call.poll(cx).map_ok(IntoResponse::into_response);
                }
            };
            state.set(State::Calling { call });
        }
    }
}

impl<S: Service<Request>> fmt::Debug for ResponseFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
