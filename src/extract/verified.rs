//! The verified value and its proof, which no other code can forge on the way to the handler.

use std::{
    any::{Any, type_name},
    fmt, iter,
    sync::Arc,
};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{Extensions, request::Parts},
};
use parking_lot::Mutex;

use super::{MismatchedMediaState, MissingVerifyMediaLayer, VerifiedMediaRejection};
use crate::{owner::Owner, ownership::OwnedMedia, state::MediaState};

/// The value that [`VerifyMediaLayer`](crate::VerifyMediaLayer) extracted, with the proof that the
/// caller owns its media.
///
/// `E` is the layer's extractor, and the value is the very one that was checked: nothing is parsed a
/// second time, so no second parser can read another id (promise G7). A bare `VerifiedMedia` gives
/// the proof alone, that of the innermost layer if there are several.
///
/// It reads only the parts of the request, so it may stand anywhere among a handler's arguments.
///
/// # Errors
///
/// [`VerifiedMediaRejection`], a 500, if no layer with this `E` ran, if the value was extracted before,
/// and if the request's extensions hold another [`MediaState`] than the layer verified with.
/// `Option<VerifiedMedia<E>>` is `None` only if no layer with this `E` ran.
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

/// Returns the proofs of a request from the innermost guard to the outermost.
fn proofs(request: &Extensions) -> impl Iterator<Item = &Proof> {
    iter::successors(request.get::<Proof>(), |proof| proof.outer.as_deref())
}

/// Compares the state in the extensions with those of all guards that the request has passed.
pub(super) fn mismatch(request: &Extensions) -> Option<MismatchedMediaState> {
    proofs(request).find_map(|proof| proof.mismatch(request))
}

impl Proof {
    fn mismatch(&self, request: &Extensions) -> Option<MismatchedMediaState> {
        let inserted = request.get::<MediaState>().filter(|media| !media.is_same(&self.media))?;
        Some(MismatchedMediaState {
            numbers: (self.media.number(), inserted.number()),
            verified: self.media.name(),
            inserted: inserted.name(),
        })
    }
}

impl<E: Send + 'static> VerifiedMedia<E> {
    fn take(request: &Extensions) -> Result<Self, VerifiedMediaRejection> {
        let missing = |taken| MissingVerifyMediaLayer { extractor: type_name::<E>(), taken };
        // A bare `VerifiedMedia` is `VerifiedMedia<()>`: then this is an `Option<E>`.
        let mut unit = Some(());
        let unit = (&mut unit as &mut dyn Any).downcast_mut::<Option<E>>();
        let value = |proof: &'_ Proof| proof.value.downcast_ref::<Mutex<Option<E>>>().is_some();
        let proof = proofs(request).find(|proof| unit.is_some() || value(proof));
        let proof = proof.ok_or(missing(false))?;
        if let Some(mismatch) = proof.mismatch(request) {
            return Err(mismatch.into());
        }
        let value = match unit {
            Some(unit) => unit.take(),
            None => {
                let value = proof.value.downcast_ref::<Mutex<Option<E>>>().expect("found by it");
                value.lock().take()
            }
        };
        Ok(Self(value.ok_or(missing(true))?, proof.owned.clone()))
    }
}

impl<S, E> FromRequestParts<S> for VerifiedMedia<E>
where
    S: Sync,
    E: Send + 'static,
{
    type Rejection = VerifiedMediaRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::take(&parts.extensions)
    }
}

impl<S, E> OptionalFromRequestParts<S> for VerifiedMedia<E>
where
    S: Sync,
    E: Send + 'static,
{
    type Rejection = VerifiedMediaRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        use VerifiedMediaRejection::MissingVerifyMediaLayer as Missing;
        match Self::take(&parts.extensions) {
            Ok(verified) => Ok(Some(verified)),
            Err(Missing(MissingVerifyMediaLayer { taken: false, .. })) => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}
