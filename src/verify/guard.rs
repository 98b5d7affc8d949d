//! The check itself: who is asking, for which ids, and may they.

use std::{any::type_name, fmt, ops::RangeInclusive, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequestParts as _, MatchedPath, NestedPath, RawPathParams},
    http::request::Parts,
    response::{IntoResponse as _, Response},
};

use super::observe;
use crate::{
    error::ErrorKind,
    extract::{
        CheckFailed, GuardedExtractor, InvalidIds, MediaIds, MediaNotOwned, NoSuchRoute,
        OwnerSource, Refusal, TooFewIds, TooManyIds, VerifyMediaRejection, WrongWiring, seal,
    },
    id::{InvalidMediaId, UnverifiedId},
    owner::{InvalidScope, Scopes},
    ownership::{Claim, IdCollector, IdSet, OwnedMedia},
    state::MediaState,
};

/// How the ids are read off a payload. Implemented by [`ByTrait`] and [`ByClosure`], and sealed.
pub trait IdSource<E>: sealed::Sealed + Send + Sync + 'static {
    #[doc(hidden)]
    fn reads_path() -> bool;

    #[doc(hidden)]
    fn collect(&self, extracted: &E, ids: &mut IdCollector) -> Result<(), InvalidMediaId>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ByTrait {}
    impl<F> Sealed for super::ByClosure<F> {}
}

/// By the payload's [`MediaIds`]: the default.
#[derive(Debug, Clone, Copy)]
pub struct ByTrait;

impl<E: MediaIds> IdSource<E> for ByTrait {
    fn reads_path() -> bool {
        E::READS_PATH
    }

    fn collect(&self, extracted: &E, ids: &mut IdCollector) -> Result<(), InvalidMediaId> {
        extracted.media_ids(ids);
        Ok(())
    }
}

/// By the closure of `VerifyMediaLayer::ids_from`.
#[derive(Clone, Copy)]
pub struct ByClosure<F>(pub(super) F);

impl<F> fmt::Debug for ByClosure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByClosure")
    }
}

impl<E, F> IdSource<E> for ByClosure<F>
where
    F: Fn(&E) -> Result<Vec<UnverifiedId>, InvalidMediaId> + Send + Sync + 'static,
{
    // A payload without `MediaIds` cannot say so itself. Its name only helps to tell a mistake in the
    // wiring: the closure and the handler see the same value either way.
    fn reads_path() -> bool {
        type_name::<E>().contains("axum::extract::path::Path<")
    }

    fn collect(&self, extracted: &E, ids: &mut IdCollector) -> Result<(), InvalidMediaId> {
        for id in (self.0)(extracted)? {
            ids.add(&id);
        }
        Ok(())
    }
}

type Respond = Arc<dyn Fn(VerifyMediaRejection) -> Response + Send + Sync>;

/// What a layer was told, and where its parts come from.
#[derive(Clone)]
pub(super) struct Guard<S, O, C> {
    pub(super) rules: Rules,
    pub(super) state: S,
    pub(super) owner: O,
    pub(super) source: C,
}

/// What a layer was told.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) media: MediaState,
    pub(super) scopes: Result<Scopes, InvalidScope>,
    pub(super) ids: RangeInclusive<usize>,
    pub(super) fresh: bool,
    pub(super) on_reject: Option<Respond>,
    // Of the layer at first, of the guard once it is on a route.
    #[cfg(feature = "testkit")]
    pub(super) number: usize,
}

impl<S, O, C> Guard<S, O, C> {
    /// Lets the request pass with the proof in it, or answers it.
    pub(super) async fn check<E, M>(
        &self,
        parts: &mut Parts,
        body: &mut Body,
    ) -> Result<(), Response>
    where
        E: GuardedExtractor<S, M>,
        S: Sync,
        O: OwnerSource<S>,
        C: IdSource<E>,
    {
        #[cfg(feature = "testkit")]
        let probe = parts.extensions.get::<crate::testkit::guard_registry::Probe>().cloned();
        let verdict = self.verdict::<E, M>(parts, body).await;
        #[cfg(feature = "testkit")]
        if let Some(probe) = probe {
            use crate::testkit::guard_registry::{Sighting, Verdict};
            let verdict = match &verdict {
                Ok(()) => Verdict::Passed,
                Err(Refusal::Extractor(_)) => Verdict::Extractor,
                Err(Refusal::Guard(rejection)) => Verdict::Guard(rejection.label()),
            };
            let registry = self.rules.media.guards().clone();
            probe.mark(Sighting { registry, guard: self.rules.number, verdict });
        }
        match verdict {
            Ok(()) => {
                observe::passed();
                Ok(())
            }
            Err(Refusal::Extractor(response)) => {
                observe::extractor_refused(type_name::<E>(), response.status());
                Err(response)
            }
            Err(Refusal::Guard(rejection)) => {
                observe::refused(type_name::<E>(), &rejection);
                Err(self.rules.respond(rejection))
            }
        }
    }

    /// The steps, in the order that tells a stranger least (promise G14).
    async fn verdict<E, M>(&self, parts: &mut Parts, body: &mut Body) -> Result<(), Refusal>
    where
        E: GuardedExtractor<S, M>,
        S: Sync,
        O: OwnerSource<S>,
        C: IdSource<E>,
    {
        let scopes = self.rules.scopes_of::<E>(parts, C::reads_path()).await?;
        let owner = self.owner.owner(parts, &self.state).await?;
        let extracted = E::extract(parts, body, &self.state).await?;
        let ids = self.collect(&extracted)?;
        let owned = self.rules.verify(Arc::new(Claim { owner, scopes, ids })).await?;
        seal(&mut parts.extensions, extracted, owned);
        Ok(())
    }

    /// The same guard, known to the state as one that is on a route.
    #[cfg(feature = "testkit")]
    pub(super) fn declared(mut self, extractor: &'static str) -> Self {
        self.rules.number =
            self.rules.media.guards().declare(crate::testkit::guard_registry::Declaration {
                layer: self.rules.number,
                extractor,
                scopes: self.rules.scopes.clone().unwrap_or_else(|_| Scopes::any()),
                ids: self.rules.ids.clone(),
            });
        self
    }

    fn collect<E>(&self, extracted: &E) -> Result<IdSet, VerifyMediaRejection>
    where
        C: IdSource<E>,
    {
        let (min, max) = (*self.rules.ids.start(), *self.rules.ids.end());
        let mut ids = IdCollector::new(max);
        self.source
            .collect(extracted, &mut ids)
            .map_err(|error| VerifyMediaRejection::InvalidIds(InvalidIds(error)))?;
        if ids.is_overflowed() {
            return Err(VerifyMediaRejection::TooManyIds(TooManyIds { min, max }));
        }
        let ids = ids.into_set();
        if ids.len() < min {
            return Err(VerifyMediaRejection::TooFewIds(TooFewIds { min, max, found: ids.len() }));
        }
        Ok(ids)
    }
}

/// Where in axum's routing a request is when it comes to the guard.
enum Place {
    /// On a route, whose path parameters are all known.
    Route,
    /// In a router that found no route for the path: `Router::layer` covers that case as well.
    Fallback,
    /// Before the router that will find the route.
    Outside,
}

impl Place {
    async fn of(parts: &mut Parts) -> Self {
        if parts.extensions.get::<MatchedPath>().is_some() {
            return Self::Route;
        }
        // A router that found no route leaves an empty list of parameters; `nest_service` leaves the
        // parameters of its prefix, if it has any, and the path that it was nested at.
        let params = RawPathParams::from_request_parts(parts, &()).await;
        let none = params.is_ok_and(|params| params.iter().next().is_none());
        let nested = parts.extensions.get::<NestedPath>().is_some();
        if none && !nested { Self::Fallback } else { Self::Outside }
    }
}

impl Rules {
    /// The scopes that count, unless the layer cannot work as it was declared (promise G2).
    async fn scopes_of<E>(
        &self,
        parts: &mut Parts,
        reads_path: bool,
    ) -> Result<Scopes, VerifyMediaRejection> {
        let wrong = |reason| {
            VerifyMediaRejection::WrongWiring(WrongWiring { extractor: type_name::<E>(), reason })
        };
        if self.ids.is_empty() {
            return Err(wrong("allows no number of ids: the range of `.ids(..)` is empty"));
        }
        // Outside of the routing there are no path parameters, or only those of an outer router:
        // `Path` would then read another part of the path than the handler does (measured, axum 0.8).
        let place = if reads_path { Place::of(parts).await } else { Place::Route };
        match place {
            Place::Route => {}
            Place::Fallback => return Err(VerifyMediaRejection::NoSuchRoute(NoSuchRoute)),
            Place::Outside => {
                return Err(wrong(
                    "reads path parameters outside of the route they belong to: put the layer on \
                     the route, or on the router that declares it, not around `nest_service` or a \
                     whole service",
                ));
            }
        }
        self.scopes.clone().map_err(|_| {
            wrong("has no valid scopes: `.scopes(..)` needs at least one, without commas or blanks around it")
        })
    }

    async fn verify(&self, claim: Arc<Claim>) -> Result<OwnedMedia, VerifyMediaRejection> {
        let error = match self.media.verify_claim(&claim, self.fresh).await {
            Ok(owned) => return Ok(owned),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::NotOwned {
            return Err(VerifyMediaRejection::CheckFailed(CheckFailed(Arc::new(error))));
        }
        let missing: Arc<[UnverifiedId]> = error.into_missing().into();
        if observe::explains() {
            observe::explain(&self.media, &claim, &missing).await;
        }
        Err(VerifyMediaRejection::MediaNotOwned(MediaNotOwned { missing }))
    }

    fn respond(&self, rejection: VerifyMediaRejection) -> Response {
        let reason = rejection.clone();
        let mut response = match &self.on_reject {
            Some(respond) => respond(rejection),
            None => rejection.into_response(),
        };
        response.extensions_mut().insert(reason);
        response
    }
}

impl<S, O: fmt::Debug, C> fmt::Debug for Guard<S, O, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("scopes", &self.rules.scopes)
            .field("ids", &self.rules.ids)
            .field("fresh", &self.rules.fresh)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
