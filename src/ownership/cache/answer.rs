//! The outcome of a query, and its merge into the cached ids.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
};

/// The answer to a query about one owner in some scopes.
#[derive(Debug, Default)]
pub(crate) struct QueryResult {
    pub(crate) owned: HashSet<MediaId>,
    /// `true` if every id outside of `owned` is not owned, queried or not.
    pub(crate) complete: bool,
    /// `true` if `owned` comes from a list, so it may contain ids that were not queried.
    pub(crate) listed: bool,
    /// The error for the queried ids outside of `owned`, if the query left them undecided.
    pub(crate) undecided: Option<Error>,
}

impl QueryResult {
    /// Returns those of `ids` that are owned, or the error of an undecided one.
    pub(super) fn among(self, ids: &[MediaId]) -> Result<Vec<MediaId>> {
        match self.undecided {
            Some(error) if ids.iter().any(|id| !self.owned.contains(id)) => Err(error),
            _ => Ok(ids.iter().filter(|id| self.owned.contains(*id)).cloned().collect()),
        }
    }
}

/// Shared by all callers of one query.
pub(super) type Outcome = std::result::Result<Arc<Answer>, Arc<Failure>>;

/// A failed query.
pub(super) struct Failure {
    pub(super) error: Arc<Error>,
    pub(super) queried: Arc<HashSet<MediaId>>,
}

impl Failure {
    /// Returns whether the ids of another caller may have caused the failure.
    pub(super) fn may_be_of_others(&self, ids: &[MediaId]) -> bool {
        self.error.kind() == ErrorKind::InvalidInput
            && self.queried.iter().any(|id| !ids.contains(id))
    }
}

/// A [`QueryResult`] with the start and the ids of its query.
pub(super) struct Answer {
    pub(super) since: Instant,
    pub(super) queried: Arc<HashSet<MediaId>>,
    pub(super) owned: Arc<HashSet<MediaId>>,
    pub(super) complete: bool,
    pub(super) listed: bool,
    pub(super) undecided: Option<Arc<Error>>,
}

/// Ids that an owner owns, all as old as the oldest answer among them.
pub(super) struct CachedIds {
    pub(super) since: Instant,
    pub(super) owned: Arc<HashSet<MediaId>>,
}

impl Answer {
    /// Returns whether the answer decides about `id`.
    pub(super) fn covers(&self, id: &MediaId) -> bool {
        self.complete || self.queried.contains(id) || self.owned.contains(id)
    }

    /// Merges the answer into the cached ids. It removes the ids that are no longer owned, and adds the
    /// owned ones unless the answer was invalidated. Returns `None` if no id younger than `max_age` is
    /// left.
    pub(super) fn merge_into(
        &self,
        cached: Option<CachedIds>,
        invalidated: bool,
        max_age: Duration,
    ) -> Option<CachedIds> {
        // A list contains everything that is still owned, so it replaces the cached ids.
        let cached = cached.filter(|cached| !self.listed && cached.since.elapsed() < max_age);
        let merged = match cached {
            Some(mut cached) => {
                let owned = Arc::make_mut(&mut cached.owned);
                for id in self.queried.iter().filter(|id| !self.owned.contains(*id)) {
                    owned.remove(id);
                }
                if !invalidated {
                    owned.extend(self.owned.iter().cloned());
                }
                Some(cached)
            }
            None => (!invalidated)
                .then(|| CachedIds { since: self.since, owned: Arc::clone(&self.owned) }),
        };
        merged.filter(|ids| !ids.owned.is_empty() && ids.since.elapsed() < max_age)
    }
}

/// Waits for the outcome of a query.
pub(super) async fn outcome(mut receiver: watch::Receiver<Option<Outcome>>) -> Result<Outcome> {
    let outcome = receiver.wait_for(Option::is_some).await.map_err(|_| {
        let what = "the ownership query panicked, or its runtime was shut down";
        Error::new(ErrorKind::Internal, what)
    })?;
    Ok(outcome.clone().expect("`wait_for` returns when it is some"))
}
