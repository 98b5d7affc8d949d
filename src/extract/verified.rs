//! What a handler gets from the guard, and how it is kept from being forged on the way.

use std::{
    any::{Any, type_name},
    fmt, iter,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{Extensions, request::Parts},
};

use super::MissingVerifyMediaLayer;
use crate::{owner::Owner, ownership::OwnedMedia, state::MediaState};

/// The value that [`VerifyMediaLayer`](crate::VerifyMediaLayer) extracted, with the proof that its
/// media are the caller's.
///
/// `E` is the layer's extractor, and the value is the very one that was checked: nothing is parsed a
/// second time, so no second parser can read another id (promise G7). A bare `VerifiedMedia` gives
/// the proof alone, that of the innermost layer if there are several.
///
/// It reads only the parts of the request, so it may stand anywhere among a handler's arguments.
///
/// # Errors
///
/// [`MissingVerifyMediaLayer`], a 500, if no layer with this `E` ran, and if the value has been
/// taken already. `Option<VerifiedMedia<E>>` is `None` only where no layer ran.
///
/// See [`verify`](crate::verify) for an example.
#[must_use]
pub struct VerifiedMedia<E = ()>(pub E, pub OwnedMedia);

impl<E> fmt::Debug for VerifiedMedia<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifiedMedia").field(&type_name::<E>()).field(&self.1).finish()
    }
}

/// The extension that carries a proof. Private, so that no other code can insert or remove one.
#[derive(Clone)]
struct Proof {
    owned: OwnedMedia,
    // The state that made the proof.
    media: MediaState,
    // A `Mutex<Option<E>>`. Shared, because extensions are cloned; behind a lock, because `E` need
    // be neither `Clone` nor `Sync`; optional, because the handler takes it.
    value: Arc<dyn Any + Send + Sync>,
    // That of the next layer further out.
    outer: Option<Arc<Proof>>,
}

/// Inserts a proof into a request. Only the guard calls this.
pub(crate) fn seal<E: Send + 'static>(
    request: &mut Extensions,
    extracted: E,
    owned: OwnedMedia,
    media: MediaState,
) {
    let outer = request.remove().map(Arc::new);
    let value = Arc::new(Mutex::new(Some(extracted)));
    request.insert(Proof { owned, media, value, outer });
}

/// The owner of the guards that the request has passed. All of them have the same one.
pub(crate) fn outer_owner(request: &Extensions) -> Option<&Owner> {
    request.get::<Proof>().map(|proof| proof.owned.owner())
}

impl<E: Send + 'static> VerifiedMedia<E> {
    fn take(parts: &Parts) -> Result<Self, MissingVerifyMediaLayer> {
        let missing = |taken| MissingVerifyMediaLayer { extractor: type_name::<E>(), taken };
        let innermost = parts.extensions.get::<Proof>().ok_or(missing(false))?;
        // A bare `VerifiedMedia` is `VerifiedMedia<()>`: then this is an `Option<E>`.
        let mut unit = Some(());
        if let Some(unit) = (&mut unit as &mut dyn Any).downcast_mut::<Option<E>>() {
            return Ok(Self(unit.take().expect("set above"), innermost.owned.clone()));
        }
        let (value, owned) = iter::successors(Some(innermost), |proof| proof.outer.as_deref())
            .find_map(|proof| Some((proof.value.downcast_ref::<Mutex<Option<E>>>()?, &proof.owned)))
            .ok_or(missing(false))?;
        let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Self(value.ok_or(missing(true))?, owned.clone()))
    }
}

impl<S, E> FromRequestParts<S> for VerifiedMedia<E>
where
    S: Sync,
    E: Send + 'static,
{
    type Rejection = MissingVerifyMediaLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::take(parts)
    }
}

impl<S, E> OptionalFromRequestParts<S> for VerifiedMedia<E>
where
    S: Sync,
    E: Send + 'static,
{
    type Rejection = MissingVerifyMediaLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        match Self::take(parts) {
            Ok(verified) => Ok(Some(verified)),
            Err(MissingVerifyMediaLayer { taken: false, .. }) => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}
