//! Single-flight: concurrent callers with the same key share one run of the work.

use std::{collections::HashMap, fmt, hash::Hash, sync::Arc};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};

type Flight<T> = Shared<BoxFuture<'static, Result<T, Arc<Error>>>>;

/// The running work by its key. Results are not cached after the work has ended.
pub(crate) struct SingleFlight<K, T>(Arc<Mutex<HashMap<K, Flight<T>>>>);

impl<K, T> SingleFlight<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Waits for the running work of `key`, or starts it. The work continues even if all callers stop waiting.
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
            let mut flights = self.0.lock();
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
            // Spawned here and not earlier: a runtime that shuts down drops the task immediately, and its drop
            // guard locks the map, which is locked while this future is inserted.
            let task = tasks.spawn(async move {
                let _done = done;
                work.await
            });
            match task.await {
                Ok(result) => result.map_err(Arc::new),
                Err(panic) => {
                    let what = "shared work on the media panicked";
                    Err(Arc::new(Error::new(ErrorKind::Internal, what).with_source(panic)))
                }
            }
        }
        .boxed()
        .shared()
    }
}

/// Removes the work from the map when it ends, also if it panics or is cancelled.
struct RemoveOnDrop<K: Eq + Hash, T> {
    flights: Arc<Mutex<HashMap<K, Flight<T>>>>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for RemoveOnDrop<K, T> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

impl<K, T> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}
