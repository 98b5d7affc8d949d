//! Keyed async mutex: one task at a time per content hash, within this process.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::id::ContentHash;

/// The locks in use, by content hash. An unused lock takes no memory.
#[derive(Clone, Default)]
pub(super) struct ContentLocks(Arc<Mutex<HashMap<ContentHash, Queue>>>);

/// The holder of one lock and the tasks that wait for it.
#[derive(Default)]
struct Queue {
    lock: Arc<AsyncMutex<()>>,
    length: usize,
}

/// Exclusive use of one content hash until dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct ContentLock {
    _guard: OwnedMutexGuard<()>,
    _queued: Queued,
}

/// Membership in the queue of one lock; leaves the queue when dropped.
struct Queued {
    locks: ContentLocks,
    hash: ContentHash,
}

impl ContentLocks {
    pub(super) async fn lock(&self, hash: ContentHash) -> ContentLock {
        let (queued, lock) = self.enqueue(hash);
        let guard = lock.lock_owned().await;
        ContentLock { _guard: guard, _queued: queued }
    }

    fn enqueue(&self, hash: ContentHash) -> (Queued, Arc<AsyncMutex<()>>) {
        let mut queues = self.0.lock();
        let queue = queues.entry(hash).or_default();
        queue.length += 1;
        (Queued { locks: self.clone(), hash }, Arc::clone(&queue.lock))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Entry::Occupied(mut queue) = self.locks.0.lock().entry(self.hash) {
            queue.get_mut().length -= 1;
            if queue.get().length == 0 {
                queue.remove();
            }
        }
    }
}

impl fmt::Debug for ContentLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContentLocks").field(&self.0.lock().len()).finish()
    }
}

impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queued").field(&self.hash).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future};

    use super::*;

    #[tokio::test]
    async fn one_task_per_content_and_unused_locks_are_freed() {
        let locks = ContentLocks::default();
        let (a, b) = (ContentHash::of(b"a"), ContentHash::of(b"b"));
        let first = locks.lock(a).await;
        let other = locks.lock(b).now_or_never().expect("another content is free");
        let mut second = Box::pin(locks.lock(a));
        assert!(second.as_mut().now_or_never().is_none(), "two at once");
        let dropped = Box::pin(locks.lock(a)).now_or_never();
        assert!(dropped.is_none());

        drop(first);
        drop((second.await, other));
        assert_eq!(format!("{locks:?}"), "ContentLocks(0)");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_tasks_take_turns() {
        let (locks, inside) = (ContentLocks::default(), Arc::new(AsyncMutex::new(())));
        let tasks = (0..200).map(|_| {
            let (locks, inside) = (locks.clone(), Arc::clone(&inside));
            tokio::spawn(async move {
                let _lock = locks.lock(ContentHash::of(b"one")).await;
                let alone = inside.try_lock().expect("another task is inside");
                tokio::task::yield_now().await;
                drop(alone);
            })
        });
        for task in future::join_all(tasks).await {
            task.expect("no two tasks met");
        }
        assert_eq!(format!("{locks:?}"), "ContentLocks(0)");
    }
}
