//! What comes of a question.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::cache::Known;
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
};

/// What a server said about one owner in some scopes.
#[derive(Debug, Default)]
pub(in crate::remote) struct Answer {
    /// What is owned.
    pub(in crate::remote) owned: HashSet<MediaId>,
    /// Whether what is not in `owned` is not owned, whatever was asked.
    pub(in crate::remote) complete: bool,
    /// Whether `owned` is all or most of what is owned, whatever was asked.
    pub(in crate::remote) listed: bool,
    /// Why it is not known of the other ids that were asked about whether they are owned, if it is not.
    pub(in crate::remote) unsettled: Option<Error>,
}

impl Answer {
    /// Those of `ids` that are owned.
    pub(super) fn among(self, ids: &[MediaId]) -> Result<Vec<MediaId>> {
        match self.unsettled {
            Some(error) if ids.iter().any(|id| !self.owned.contains(id)) => Err(error),
            _ => Ok(ids.iter().filter(|id| self.owned.contains(*id)).cloned().collect()),
        }
    }
}

pub(super) type Outcome = std::result::Result<Arc<Said>, Arc<Failure>>;

/// What a question failed with, and about what it was.
pub(super) struct Failure {
    pub(super) error: Arc<Error>,
    pub(super) asked: Arc<HashSet<MediaId>>,
}

impl Failure {
    /// Whether it may be for the ids of others that these got no answer.
    pub(super) fn is_for_others(&self, ids: &[MediaId]) -> bool {
        self.error.kind() == ErrorKind::InvalidInput
            && self.asked.iter().any(|id| !ids.contains(id))
    }
}

/// An answer, and about what.
pub(super) struct Said {
    pub(super) since: Instant,
    pub(super) asked: Arc<HashSet<MediaId>>,
    pub(super) owned: Arc<HashSet<MediaId>>,
    pub(super) complete: bool,
    pub(super) listed: bool,
    pub(super) unsettled: Option<Arc<Error>>,
}

impl Said {
    pub(super) fn covers(&self, id: &MediaId) -> bool {
        self.complete || self.asked.contains(id) || self.owned.contains(id)
    }

    /// What is known with this answer. Nothing, rather than what is too old.
    pub(super) fn added_to(
        &self,
        before: Option<Known>,
        adds: bool,
        max_age: Duration,
    ) -> Option<Known> {
        let new = || Known { since: self.since, owned: Arc::clone(&self.owned) };
        // A list has all that was known before and is still owned.
        let before = before.filter(|known| !self.listed && known.since.elapsed() < max_age);
        let known = match before {
            Some(mut known) => {
                let owned = Arc::make_mut(&mut known.owned);
                self.asked.iter().filter(|id| !self.owned.contains(*id)).for_each(|id| {
                    owned.remove(id);
                });
                if adds {
                    // What is remembered together is as old as the oldest of it.
                    owned.extend(self.owned.iter().cloned());
                }
                Some(known)
            }
            None => adds.then(new),
        };
        known.filter(|known| !known.owned.is_empty() && known.since.elapsed() < max_age)
    }
}

/// What comes of a question that was joined.
pub(super) async fn outcome(mut done: watch::Receiver<Option<Outcome>>) -> Result<Outcome> {
    let outcome = done.wait_for(Option::is_some).await.map_err(|_| {
        Error::new(ErrorKind::Internal, "the question about ownership was abandoned")
    })?;
    Ok(outcome.clone().expect("it was waited for"))
}
