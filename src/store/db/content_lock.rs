//! One at a time per content, within this process.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::id::ContentHash;

/// Who works on which content. Contents on which nobody works take no room.
#[derive(Clone, Default)]
pub(super) struct Locks(Arc<Mutex<HashMap<ContentHash, Queue>>>);

/// Those who hold a lock or wait for it.
#[derive(Default)]
struct Queue {
    lock: Arc<AsyncMutex<()>>,
    length: usize,
}

/// Keeps others from working on some content until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct ContentLock {
    _held: OwnedMutexGuard<()>,
    _place: Place,
}

/// A place in a queue, given back when dropped.
struct Place {
    locks: Locks,
    hash: ContentHash,
}

impl Locks {
    pub(super) async fn lock(&self, hash: ContentHash) -> ContentLock {
        let (place, lock) = self.queue_up(hash);
        let held = lock.lock_owned().await;
        ContentLock { _held: held, _place: place }
    }

    fn queue_up(&self, hash: ContentHash) -> (Place, Arc<AsyncMutex<()>>) {
        let mut queues = self.queues();
        let queue = queues.entry(hash).or_default();
        queue.length += 1;
        (Place { locks: self.clone(), hash }, Arc::clone(&queue.lock))
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<ContentHash, Queue>> {
        // Nothing panics half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.locks.queues();
        if let Entry::Occupied(mut queue) = queues.entry(self.hash) {
            queue.get_mut().length -= 1;
            if queue.get().length == 0 {
                queue.remove();
            }
        }
    }
}

impl fmt::Debug for Locks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Locks").field(&self.queues().len()).finish()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.hash).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future};

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_per_content_and_nothing_stays() {
        let locks = Locks::default();
        let (a, b) = (ContentHash::of(b"a"), ContentHash::of(b"b"));
        let first = locks.lock(a).await;
        let other = locks.lock(b).now_or_never().expect("another content is free");
        let mut second = Box::pin(locks.lock(a));
        assert!(second.as_mut().now_or_never().is_none(), "two at once");
        let given_up = Box::pin(locks.lock(a)).now_or_never();
        assert!(given_up.is_none());

        drop(first);
        drop((second.await, other));
        assert_eq!(format!("{locks:?}"), "Locks(0)");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_take_turns() {
        let (locks, inside) = (Locks::default(), Arc::new(AsyncMutex::new(())));
        let tasks = (0..200).map(|_| {
            let (locks, inside) = (locks.clone(), Arc::clone(&inside));
            tokio::spawn(async move {
                let _lock = locks.lock(ContentHash::of(b"one")).await;
                let alone = inside.try_lock().expect("another is inside");
                tokio::task::yield_now().await;
                drop(alone);
            })
        });
        for task in future::join_all(tasks).await {
            task.expect("nobody met another");
        }
        assert_eq!(format!("{locks:?}"), "Locks(0)");
    }
}
