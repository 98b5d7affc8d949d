//! The task that runs the queries of one owner in some scopes.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use super::{
    answer::{Answer, Failure, Outcome, QueryResult},
    state::{Batch, InFlight, Shared},
};
use crate::{
    error::Result,
    id::MediaId,
    owner::{Owner, Scopes},
};

/// A query about one owner, some scopes and at least these ids.
pub(crate) type QueryFn =
    dyn Fn(Owner, Scopes, Vec<MediaId>) -> BoxFuture<'static, Result<QueryResult>> + Send + Sync;

/// Runs one query after the other while callers wait. It is a task of its own, so that the other callers
/// get their answer if the first one is cancelled.
pub(super) struct QueryTask {
    shared: Arc<Shared>,
    owner: Owner,
    scopes: Scopes,
    ended: bool,
}

impl QueryTask {
    pub(super) fn new(shared: &Arc<Shared>, owner: &Owner, scopes: &Scopes) -> Self {
        let (owner, scopes) = (owner.clone(), scopes.clone());
        Self { shared: Arc::clone(shared), owner, scopes, ended: false }
    }

    pub(super) async fn run(mut self, query: Arc<QueryFn>) {
        while let Some((since, queried, sender)) = self.start_next() {
            let ids = queried.iter().cloned().collect();
            count_query();
            let outcome = match query(self.owner.clone(), self.scopes.clone(), ids).await {
                Ok(QueryResult { owned, complete, listed, undecided }) => {
                    let (owned, undecided) = (Arc::new(owned), undecided.map(Arc::new));
                    Ok(Arc::new(Answer { since, queried, owned, complete, listed, undecided }))
                }
                Err(error) => Err(Arc::new(Failure { error: Arc::new(error), queried })),
            };
            self.finish(outcome.as_deref().ok());
            // Not `send`, which fails if all callers were cancelled.
            sender.send_replace(Some(outcome));
        }
    }

    /// Takes the next batch, or ends the task if no caller waits for one.
    #[expect(clippy::type_complexity, reason = "a batch taken apart")]
    fn start_next(
        &mut self,
    ) -> Option<(Instant, Arc<HashSet<MediaId>>, watch::Sender<Option<Outcome>>)> {
        let mut state = self.shared.state.lock();
        let queries = state.slot(&self.owner, &self.scopes)?.queries.as_mut()?;
        let next = queries.next.take().filter(|batch| batch.outcome.receiver_count() > 0);
        let Some(Batch { ids, outcome: sender }) = next else {
            self.ended = true;
            state.end_queries(&self.owner, &self.scopes);
            return None;
        };
        let (since, ids) = (Instant::now(), Arc::new(ids));
        let (queried, outcome) = (Arc::clone(&ids), sender.subscribe());
        queries.in_flight = Some(InFlight { since, queried, invalidated: false, outcome });
        Some((since, ids, sender))
    }

    fn finish(&self, answer: Option<&Answer>) {
        let Shared { max_staleness, capacity, .. } = *self.shared;
        let mut state = self.shared.state.lock();
        let Some(slot) = state.slot(&self.owner, &self.scopes) else { return };
        let in_flight = slot.queries.as_mut().and_then(|queries| queries.in_flight.take());
        let Some(answer) = answer else { return };
        let cached = slot.cached.take();
        state.cached_ids -= cached.as_ref().map_or(0, |cached| cached.owned.len());
        state.lists = answer.listed;
        let invalidated = in_flight.is_none_or(|in_flight| in_flight.invalidated);
        let merged = answer.merge_into(cached, invalidated, max_staleness);
        if let Some(ids) = merged.filter(|ids| ids.owned.len() <= capacity.ids) {
            state.insert(&self.owner, &self.scopes, ids, capacity);
        }
    }
}

impl Drop for QueryTask {
    /// After a panic or at the end of the runtime, drops the senders, so waiting callers get an error.
    fn drop(&mut self) {
        if !self.ended {
            self.shared.state.lock().end_queries(&self.owner, &self.scopes);
        }
    }
}

/// Counts an ownership query. A backend may need several requests for it.
fn count_query() {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_ownership_queries_total").increment(1);
}
