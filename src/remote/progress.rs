//! Whether something that takes its time is still moving.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::error::{Error, Result};

/// When something last moved. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<Option<Instant>>>);

impl Progress {
    /// Says that something moved just now.
    pub(super) fn moved(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `work` as long as something moves, and for `patience` from then on.
    pub(super) async fn watch<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T> {
        let mut last = Instant::now();
        tokio::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout_at(last + patience, &mut work).await {
                return Ok(done);
            }
            match self.last() {
                Some(moved) if moved > last => last = moved,
                _ => return Err(Error::timeout("the media service", patience)),
            }
        }
    }
}
