//! The ownership check of one request.

use std::{any::type_name, fmt, ops::RangeInclusive, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use futures_util::future::BoxFuture;

use super::{ids::IdSource, observe, routing_position::RoutingPosition};
use crate::{
    error::ErrorKind,
    extract::{
        CheckFailed, GuardedExtractor, InvalidIds, MediaNotOwned, NoSuchRoute, OwnerSource,
        Refusal, TooFewIds, TooManyIds, VerifyMediaRejection, WrongWiring, outer_owner, seal,
    },
    id::UnverifiedId,
    owner::{Owner, Scopes},
    ownership::{Claim, IdCollector, IdSet, OwnedMedia},
    state::MediaState,
};

type Respond = Arc<dyn Fn(VerifyMediaRejection) -> Response + Send + Sync>;

/// Starts the check of a request for one extractor. The function pointer erases the extractor's
/// marker, so the public types do not carry it; the future is the only allocation.
pub(super) type Check<E, S> =
    fn(Arc<Guard<E, S>>, Request) -> BoxFuture<'static, Result<Request, Response>>;

/// A guard: its configuration, and the erased steps of its check.
pub(super) struct Guard<E, S> {
    pub(super) config: Config,
    pub(super) state: S,
    pub(super) owner: OwnerSource<S>,
    pub(super) ids: IdSource<E>,
    pub(super) check: Check<E, S>,
}

/// The settings of a layer.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) media: MediaState,
    pub(super) scopes: Scopes,
    pub(super) id_count: RangeInclusive<usize>,
    pub(super) bypass_cache: bool,
    // The extractor reads path parameters, so the guard must be on a matched route.
    pub(super) reads_path: bool,
    pub(super) on_reject: Option<Respond>,
    #[cfg(feature = "testkit")]
    pub(super) layer: usize,
    #[cfg(feature = "testkit")]
    pub(super) location: &'static std::panic::Location<'static>,
    #[cfg(feature = "testkit")]
    pub(super) mounted: Option<Arc<crate::testkit::guard_registry::MountedGuard>>,
}

/// Implements [`Check`] for an extractor: returns the request with the proof in it, or a response.
pub(super) fn check<E, S, M>(
    guard: Arc<Guard<E, S>>,
    request: Request,
) -> BoxFuture<'static, Result<Request, Response>>
where
    E: GuardedExtractor<S, M>,
    S: Send + Sync + 'static,
    M: 'static,
{
    // Taken apart outside of the future, because a future reserves room for each move of a value.
    let (mut parts, mut body) = request.into_parts();
    Box::pin(async move {
        guard.run::<M>(&mut parts, &mut body).await?;
        Ok(Request::from_parts(parts, body))
    })
}

impl<E, S> Guard<E, S> {
    async fn run<M>(&self, parts: &mut Parts, body: &mut Body) -> Result<(), Response>
    where
        E: GuardedExtractor<S, M>,
        S: Sync,
    {
        let verdict = self.verdict::<M>(parts, body).await;
        #[cfg(feature = "testkit")]
        self.config.mark(parts, &verdict);
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
                Err(self.config.respond(rejection))
            }
        }
    }

    /// Runs the steps in the order that reveals the least to an unauthenticated client (promise G14).
    async fn verdict<M>(&self, parts: &mut Parts, body: &mut Body) -> Result<(), Refusal>
    where
        E: GuardedExtractor<S, M>,
        S: Sync,
    {
        self.check_position(parts).await?;
        let owner = self.owner.owner(parts, &self.state).await?;
        self.install_owner(parts, &owner)?;
        let extracted = E::extract(parts, body, &self.state).await?;
        let ids = self.collect(&extracted)?;
        let scopes = self.config.scopes.clone();
        let owned = self.config.verify(Arc::new(Claim { owner, scopes, ids })).await?;
        seal(&mut parts.extensions, extracted, owned, self.config.media.clone());
        Ok(())
    }

    /// Refuses a request whose path parameters are not visible here (promise G2).
    async fn check_position(&self, parts: &mut Parts) -> Result<(), VerifyMediaRejection> {
        // Outside of the routing a request has no path parameters, or only those of an outer router:
        // `Path` would then read another part of the path than the handler does (measured, axum 0.8).
        if !self.config.reads_path {
            return Ok(());
        }
        match RoutingPosition::of(parts).await {
            RoutingPosition::Route => Ok(()),
            RoutingPosition::Fallback => Err(VerifyMediaRejection::NoSuchRoute(NoSuchRoute)),
            RoutingPosition::Outside => Err(wrong_wiring(
                "reads path parameters outside of the route they belong to: put the layer on the \
                 route, or on the router that declares it, not around `nest_service` or a whole \
                 service",
            )),
        }
    }

    /// Makes the owner of this check the one that the handler's `Owner` extracts (promise G17).
    fn install_owner(&self, parts: &mut Parts, owner: &Owner) -> Result<(), VerifyMediaRejection> {
        if outer_owner(&parts.extensions).is_some_and(|outer| outer != owner) {
            return Err(wrong_wiring(
                "verifies for another owner than a `VerifyMediaLayer` around it: use the same \
                 `owner_from` on all guards of a route",
            ));
        }
        if parts.extensions.get() != Some(owner) {
            parts.extensions.insert(owner.clone());
        }
        Ok(())
    }

    fn collect(&self, extracted: &E) -> Result<IdSet, VerifyMediaRejection> {
        let (min, max) = (*self.config.id_count.start(), *self.config.id_count.end());
        let mut ids = IdCollector::new(max);
        self.ids
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

    /// Registers this guard with its state as one that is around a service.
    #[cfg(feature = "testkit")]
    pub(super) fn mounted(mut self) -> Self {
        let config = &mut self.config;
        let declaration = crate::testkit::guard_registry::Declaration {
            layer: config.layer,
            extractor: type_name::<E>(),
            scopes: config.scopes.clone(),
            ids: config.id_count.clone(),
            location: config.location,
        };
        config.mounted = Some(config.media.guards().mount(declaration));
        self
    }
}

fn wrong_wiring(reason: &'static str) -> VerifyMediaRejection {
    VerifyMediaRejection::WrongWiring(WrongWiring { reason })
}

impl Config {
    async fn verify(&self, claim: Arc<Claim>) -> Result<OwnedMedia, VerifyMediaRejection> {
        let error = match self.media.verify_claim(&claim, self.bypass_cache).await {
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

    /// Records the verdict for the replay harness, if it sent the request.
    #[cfg(feature = "testkit")]
    fn mark(&self, parts: &Parts, verdict: &Result<(), Refusal>) {
        use crate::testkit::guard_registry::{Probe, Sighting, Verdict};
        let (Some(probe), Some(guard)) = (parts.extensions.get::<Probe>(), &self.mounted) else {
            return;
        };
        let matched = parts.extensions.get::<axum::extract::MatchedPath>();
        let path = matched.map_or("(no matched path)", |path| path.as_str());
        probe.mark(Sighting {
            registry: self.media.guards().clone(),
            guard: Arc::clone(guard),
            route: format!("{} {path}", parts.method),
            verdict: match verdict {
                Ok(()) => Verdict::Passed,
                Err(Refusal::Extractor(_)) => Verdict::Extractor,
                Err(Refusal::Guard(rejection)) => Verdict::Guard(rejection.label()),
            },
        });
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

impl<E, S: Clone> Clone for Guard<E, S> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            state: self.state.clone(),
            owner: self.owner.clone(),
            ids: self.ids.clone(),
            check: self.check,
        }
    }
}

impl<E, S> fmt::Debug for Guard<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("extractor", &type_name::<E>())
            .field("scopes", &self.config.scopes)
            .field("id_count", &self.config.id_count)
            .field("bypass_cache", &self.config.bypass_cache)
            .field("owner", &self.owner)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}
