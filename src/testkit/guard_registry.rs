//! Which guards a state has declared, and what a request saw of them: what the replay harness of
//! `testkit` looks at.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::owner::Scopes;

/// What a guard was declared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declaration {
    /// Which layer it came from: a layer that covers many routes is one guard.
    pub(crate) layer: usize,
    pub(crate) extractor: &'static str,
    pub(crate) scopes: Scopes,
    pub(crate) ids: RangeInclusive<usize>,
}

/// All guards of a state, by the number each was given. Clones are the same registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Guards>);

#[derive(Debug, Default)]
struct Guards {
    layers: AtomicUsize,
    declared: Mutex<Vec<Declaration>>,
}

impl Registry {
    /// A number for a new layer.
    pub(crate) fn next_layer(&self) -> usize {
        self.0.layers.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a guard in, unless it is known, and returns its number.
    pub(crate) fn declare(&self, guard: Declaration) -> usize {
        let mut guards = self.0.declared.lock().unwrap_or_else(PoisonError::into_inner);
        guards.iter().position(|known| *known == guard).unwrap_or_else(|| {
            guards.push(guard);
            guards.len() - 1
        })
    }

    /// Whether the two are of one state.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn all(&self) -> Vec<Declaration> {
        self.0.declared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An extension that the harness puts into a request, and in which guards leave their mark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe(Arc<Mutex<Vec<Sighting>>>);

/// A guard that a request met, and how it went.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    /// Of which state the guard is.
    pub(crate) registry: Registry,
    /// Its number there.
    pub(crate) guard: usize,
    pub(crate) verdict: Verdict,
}

/// What a guard made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// The extractor's own refusal.
    Extractor,
    /// The guard's refusal, by its label.
    Guard(&'static str),
}

impl Probe {
    pub(crate) fn mark(&self, sighting: Sighting) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sighting);
    }

    pub(crate) fn sightings(&self) -> Vec<Sighting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
