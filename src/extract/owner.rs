//! The authenticated owner of a request.

use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{Extensions, request::Parts},
    response::IntoResponse as _,
};
use futures_util::future::BoxFuture;

use super::{MissingOwner, Refusal, VerifyMediaRejection, verified::outer_owner};
use crate::owner::{InvalidOwner, Owner};

/// The part of a request that names the authenticated owner.
pub(crate) enum OwnerSource<S> {
    /// The [`Owner`] in the request's extensions.
    Extension,
    /// An extractor of the application, such as claims or a session.
    Extractor(Arc<dyn ReadOwner<S>>),
}

impl<S: Sync> OwnerSource<S> {
    pub(crate) fn from_extractor<X>(
        read: impl Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync + 'static,
    ) -> Self
    where
        X: FromRequestParts<S> + 'static,
    {
        Self::Extractor(Arc::new(OwnerFrom { read, extractor: PhantomData }))
    }

    pub(crate) async fn owner(&self, parts: &mut Parts, state: &S) -> Result<Owner, Refusal> {
        match self {
            Self::Extension => find(&parts.extensions).cloned().ok_or_else(missing),
            Self::Extractor(extractor) => extractor.read(parts, state).await,
        }
    }
}

/// The erased extractor of an [`OwnerSource`].
pub(crate) trait ReadOwner<S>: fmt::Debug + Send + Sync {
    fn read<'a>(
        &'a self,
        parts: &'a mut Parts,
        state: &'a S,
    ) -> BoxFuture<'a, Result<Owner, Refusal>>;
}

struct OwnerFrom<X, F> {
    read: F,
    extractor: PhantomData<fn(X)>,
}

impl<S, X, F> ReadOwner<S> for OwnerFrom<X, F>
where
    S: Sync,
    X: FromRequestParts<S>,
    F: Fn(X) -> Result<Owner, InvalidOwner> + Send + Sync,
{
    fn read<'a>(
        &'a self,
        parts: &'a mut Parts,
        state: &'a S,
    ) -> BoxFuture<'a, Result<Owner, Refusal>> {
        Box::pin(async move {
            match X::from_request_parts(parts, state).await {
                Ok(extracted) => (self.read)(extracted).map_err(|_| missing()),
                Err(rejection) => Err(Refusal::Extractor(rejection.into_response())),
            }
        })
    }
}

fn missing() -> Refusal {
    VerifyMediaRejection::MissingOwner(MissingOwner).into()
}

/// The owner of the guard that let the request pass, or else the one in the extensions.
fn find(extensions: &Extensions) -> Option<&Owner> {
    outer_owner(extensions).or_else(|| extensions.get())
}

/// Extracts the authenticated owner: that of the [`VerifyMediaLayer`](crate::VerifyMediaLayer) that let
/// the request pass (promise G17), or else the one that an authentication layer inserted into the
/// request's extensions. Without either the response is 401.
impl<S: Sync> FromRequestParts<S> for Owner {
    type Rejection = MissingOwner;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        find(&parts.extensions).cloned().ok_or(MissingOwner)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Owner {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(find(&parts.extensions).cloned())
    }
}

impl<S> Clone for OwnerSource<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Extension => Self::Extension,
            Self::Extractor(extractor) => Self::Extractor(Arc::clone(extractor)),
        }
    }
}

impl<S> fmt::Debug for OwnerSource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension => f.write_str("Extension"),
            Self::Extractor(extractor) => extractor.fmt(f),
        }
    }
}

impl<X, F> fmt::Debug for OwnerFrom<X, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerFrom<{}>", std::any::type_name::<X>())
    }
}
