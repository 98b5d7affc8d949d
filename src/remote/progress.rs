//! Whether something that takes its time is still moving.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::error::{Error, Result};

/// How a body that is sent gets on. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<Stage>>);

#[derive(Clone, Copy, Default)]
enum Stage {
    #[default]
    NotBegun,
    /// The connection took something.
    Moved(Instant),
    /// The connection would take more than there is.
    Waits,
    BrokeOff,
}

impl Progress {
    /// Says that something moved just now.
    pub(super) fn moved(&self) {
        self.set(Stage::Moved(Instant::now()));
    }

    /// Says that it is not for the service that nothing moves.
    pub(super) fn waits(&self) {
        self.set(Stage::Waits);
    }

    /// Says that there will be no more although it is not whole.
    pub(super) fn breaks_off(&self) {
        self.set(Stage::BrokeOff);
    }

    pub(super) fn broke_off(&self) -> bool {
        matches!(self.stage(), Stage::BrokeOff)
    }

    fn set(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn stage(&self) -> Stage {
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
            match self.stage() {
                Stage::Moved(moved) if moved > last => last = moved,
                Stage::Waits => last = Instant::now(),
                _ => return Err(Error::timeout("the media service", patience)),
            }
        }
    }
}
