//! Who is asking, and where that is found in a request.

use std::{convert::Infallible, fmt, sync::Arc};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
    response::IntoResponse as _,
};

use super::{MissingOwner, Refusal, VerifyMediaRejection};
use crate::owner::{InvalidOwner, Owner};

/// Finds the authenticated owner in a request. Implemented by [`OwnerExtension`] and [`OwnerFrom`],
/// and sealed.
pub trait OwnerSource<S>: sealed::Sealed + Clone + Send + Sync + 'static {
    #[doc(hidden)]
    fn owner(
        &self,
        parts: &mut Parts,
        state: &S,
    ) -> impl Future<Output = Result<Owner, Refusal>> + Send;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::OwnerExtension {}
    impl<X> Sealed for super::OwnerFrom<X> {}
}

/// The [`Owner`] that an authentication layer put into the request's extensions: the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnerExtension;

impl<S: Sync> OwnerSource<S> for OwnerExtension {
    async fn owner(&self, parts: &mut Parts, state: &S) -> Result<Owner, Refusal> {
        <Owner as FromRequestParts<S>>::from_request_parts(parts, state).await.map_err(refused)
    }
}

/// The owner that an authentication layer put into the request's extensions, or 401.
impl<S: Sync> FromRequestParts<S> for Owner {
    type Rejection = MissingOwner;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingOwner)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Owner {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// The owner that an extractor `X` knows of: claims, a session, whatever authentication is used.
pub struct OwnerFrom<X> {
    read: Arc<dyn Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync>,
}

impl<X> OwnerFrom<X> {
    pub(crate) fn new(
        read: impl Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync + 'static,
    ) -> Self {
        Self { read: Arc::new(read) }
    }
}

impl<X> Clone for OwnerFrom<X> {
    fn clone(&self) -> Self {
        Self { read: Arc::clone(&self.read) }
    }
}

impl<X> fmt::Debug for OwnerFrom<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerFrom<{}>", std::any::type_name::<X>())
    }
}

impl<S, X> OwnerSource<S> for OwnerFrom<X>
where
    S: Sync,
    X: FromRequestParts<S> + 'static,
{
    async fn owner(&self, parts: &mut Parts, state: &S) -> Result<Owner, Refusal> {
        match X::from_request_parts(parts, state).await {
            Ok(x) => (self.read)(x).map_err(|_| refused(MissingOwner)),
            Err(rejection) => Err(Refusal::Extractor(rejection.into_response())),
        }
    }
}

fn refused(missing: MissingOwner) -> Refusal {
    VerifyMediaRejection::MissingOwner(missing).into()
}
