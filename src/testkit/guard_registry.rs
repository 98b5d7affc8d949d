//! The guards of a `MediaState` that are on a route, and the probe that tells the replay harness of
//! `testkit` which of them a request reached.

use std::{
    fmt,
    ops::RangeInclusive,
    panic::Location,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use crate::owner::Scopes;

/// A guard as its layer was built.
#[derive(Debug, Clone)]
pub(crate) struct Declaration {
    /// The number of the layer. Clones of a layer have the same one.
    pub(crate) layer: usize,
    pub(crate) extractor: &'static str,
    pub(crate) scopes: Scopes,
    pub(crate) ids: RangeInclusive<usize>,
    /// The call that built the layer.
    pub(crate) location: &'static Location<'static>,
}

/// A guard around one service: a layer on two routes makes two of them.
///
/// The middleware owns it, so a router that is dropped takes its guards out of the registry.
#[derive(Debug)]
pub(crate) struct MountedGuard {
    /// Unique within its registry.
    pub(crate) number: usize,
    pub(crate) declaration: Declaration,
}

/// All mounted guards of a state. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Guards>);

#[derive(Debug, Default)]
struct Guards {
    last_number: AtomicUsize,
    mounted: Mutex<Vec<Weak<MountedGuard>>>,
}

impl Registry {
    /// Returns a new number, for a layer or for a mounted guard.
    pub(crate) fn next_number(&self) -> usize {
        self.0.last_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Registers a guard that was put around a service.
    pub(crate) fn mount(&self, declaration: Declaration) -> Arc<MountedGuard> {
        let guard = Arc::new(MountedGuard { number: self.next_number(), declaration });
        let mut mounted = self.0.mounted.lock();
        // axum wraps the handlers of a router without state again for each request.
        mounted.retain(|guard| guard.strong_count() > 0);
        mounted.push(Arc::downgrade(&guard));
        guard
    }

    /// Returns whether both belong to one state.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the guards of all routers that still exist.
    pub(crate) fn mounted(&self) -> Vec<Arc<MountedGuard>> {
        let mounted = self.0.mounted.lock();
        mounted.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Display for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { extractor, scopes, ids, location, .. } = self;
        let scopes = scopes.as_slice().map_or("any scope".to_owned(), |scopes| {
            scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
        });
        write!(f, "`VerifyMediaLayer::<{extractor}>` of {location}, with {ids:?} ids in {scopes},")
    }
}

/// An extension of a request, in which guards record that they saw it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe(Arc<Mutex<Vec<Sighting>>>);

/// One guard's record of a request.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    /// The registry of the guard's state.
    pub(crate) registry: Registry,
    pub(crate) guard: Arc<MountedGuard>,
    /// The method and the matched path.
    pub(crate) route: String,
    pub(crate) verdict: Verdict,
}

/// A guard's verdict on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// The extractor refused.
    Extractor,
    /// The guard refused; the label of the rejection.
    Guard(&'static str),
}

impl Probe {
    pub(crate) fn mark(&self, sighting: Sighting) {
        self.0.lock().push(sighting);
    }

    pub(crate) fn sightings(&self) -> Vec<Sighting> {
        self.0.lock().clone()
    }
}
