//! Tests of the cache, with a fake query function that answers on command.

mod changes;
mod failures;
mod model;
mod sharing;
mod staleness;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{
    OwnershipCache, QueryFn, QueryResult,
    state::{Capacity, ChangeGuard},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    owner::{Owner, Scopes},
};

const AGE: Duration = Duration::from_secs(5);

/// A cache whose queries the test answers, one by one.
struct Lab {
    cache: OwnershipCache,
    query: Arc<QueryFn>,
    calls: mpsc::UnboundedReceiver<Call>,
}

struct Call {
    owner: Owner,
    scopes: Scopes,
    ids: HashSet<MediaId>,
    answer: oneshot::Sender<Result<QueryResult>>,
}

impl Call {
    /// Answers only for the queried ids.
    fn owned(self, owned: &[&str]) {
        let owned = owned.iter().map(|text| id(text)).collect();
        self.reply(Ok(QueryResult { owned, complete: false, listed: false, undecided: None }));
    }

    /// Answers with a complete list of the owner's ids.
    fn list(self, owned: &[&str]) {
        let owned = owned.iter().map(|text| id(text)).collect();
        self.reply(Ok(QueryResult { owned, complete: true, listed: true, undecided: None }));
    }

    fn reply(self, answer: Result<QueryResult>) {
        // The query task may have been dropped.
        let _ = self.answer.send(answer);
    }
}

type Check = JoinHandle<Result<Vec<MediaId>>>;

impl Lab {
    fn new(max_staleness: Duration) -> Self {
        Self::of(OwnershipCache::new(max_staleness))
    }

    fn of(cache: OwnershipCache) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let query: Arc<QueryFn> = Arc::new(move |owner, scopes, ids| {
            let (answer, answered) = oneshot::channel();
            let ids = ids.into_iter().collect();
            // The receiver is dropped at the end of the test.
            let _ = sender.send(Call { owner, scopes, ids, answer });
            Box::pin(async move { answered.await.expect("injected panic") })
        });
        Self { cache, query, calls }
    }

    /// Starts a check and runs it until it waits.
    async fn check_of(&self, owner: &Owner, scopes: &Scopes, ids: &[&str], bypass: bool) -> Check {
        let (cache, query) = (self.cache.clone(), Arc::clone(&self.query));
        let (owner, scopes) = (owner.clone(), scopes.clone());
        let ids: Vec<MediaId> = ids.iter().map(|text| id(text)).collect();
        let check =
            tokio::spawn(async move { cache.owned(&owner, &scopes, &ids, bypass, &query).await });
        settle().await;
        check
    }

    async fn check(&self, ids: &[&str]) -> Check {
        self.check_of(&ana(), &Scopes::any(), ids, false).await
    }

    async fn bypass(&self, ids: &[&str]) -> Check {
        self.check_of(&ana(), &Scopes::any(), ids, true).await
    }

    /// Returns the pending call of the query function.
    #[track_caller]
    fn call(&mut self) -> Call {
        self.calls.try_recv().expect("a query")
    }

    #[track_caller]
    fn no_call(&mut self) {
        assert!(self.calls.try_recv().is_err(), "an unexpected query");
    }

    /// Caches a positive answer.
    async fn cache_ids(&mut self, ids: &[&str]) {
        let check = self.check(ids).await;
        self.call().owned(ids);
        assert_eq!(owned(check).await, ids);
    }

    fn is_empty(&self) -> bool {
        let state = self.cache.0.state.lock();
        state.owners.is_empty() && state.cached_ids == 0
    }
}

fn id(text: &str) -> MediaId {
    MediaId::from_trusted(text).expect("an id")
}

fn owner(subject: &str) -> Owner {
    Owner::new(subject).expect("a subject")
}

fn ana() -> Owner {
    owner("ana")
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Returns the result of a check, which must have ended.
async fn result(check: Check) -> Result<Vec<MediaId>> {
    settle().await;
    assert!(check.is_finished(), "a check is stuck");
    check.await.expect("no panic")
}

async fn owned(check: Check) -> Vec<String> {
    result(check).await.expect("an answer").iter().map(ToString::to_string).collect()
}

fn down() -> Result<QueryResult> {
    Err(Error::new(ErrorKind::Unavailable, "down"))
}
