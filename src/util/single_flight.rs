//! The same work, done once for all who want it at the same time.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};

type Flight<T> = Shared<BoxFuture<'static, Result<T, Arc<Error>>>>;

/// Work under way, by what it is for. Nothing is remembered of work that is over.
pub(crate) struct SingleFlight<K, T>(Arc<Mutex<HashMap<K, Flight<T>>>>);

impl<K, T> SingleFlight<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Waits for the work that is under way for `key`, or begins it. Once begun it goes on, whoever stops
    /// waiting.
    pub(crate) async fn run<F>(
        &self,
        key: K,
        tasks: &TaskTracker,
        work: impl FnOnce() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            flights
                .entry(key)
                .or_insert_with_key(|key| self.begin(key.clone(), tasks, work()))
                .clone()
        };
        flight.await.map_err(Error::shared)
    }

    fn begin(
        &self,
        key: K,
        tasks: &TaskTracker,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Flight<T> {
        let done = RemoveOnDrop { flights: self.0.clone(), key };
        let tasks = tasks.clone();
        async move {
            // Here and not before: a runtime that shuts down drops the task at once, and the list is
            // locked while this is put on it.
            let task = tasks.spawn(async move {
                let _done = done;
                work.await
            });
            match task.await {
                Ok(result) => result.map_err(Arc::new),
                Err(panic) => {
                    let what = "the work on the media panicked";
                    Err(Arc::new(Error::new(ErrorKind::Internal, what).with_source(panic)))
                }
            }
        }
        .boxed()
        .shared()
    }
}

/// Takes the work off the list when it is over, however it ends.
struct RemoveOnDrop<K: Eq + Hash, T> {
    flights: Arc<Mutex<HashMap<K, Flight<T>>>>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for RemoveOnDrop<K, T> {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<K, T> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}
