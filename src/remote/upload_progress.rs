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
    /// There may be nothing to send.
    #[default]
    NotBegun,
    /// The connection took something, and there is more.
    Moved(Instant),
    /// The connection would take more than there is.
    Waits,
    /// The connection took all.
    Over(Instant),
    /// There will be no more although it is not whole.
    BrokeOff(Instant),
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

    /// Says that everything has gone.
    pub(super) fn is_over(&self) {
        self.set(Stage::Over(Instant::now()));
    }

    /// Says that there will be no more although it is not whole.
    pub(super) fn breaks_off(&self) {
        self.set(Stage::BrokeOff(Instant::now()));
    }

    pub(super) fn broke_off(&self) -> bool {
        matches!(self.stage(), Stage::BrokeOff(_))
    }

    fn set(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn stage(&self) -> Stage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the answer to what is sent: as long as `idle` for each next bit of it to be taken, and
    /// as long as `request` once there is nothing left to take.
    pub(super) async fn watch<T>(
        &self,
        request: Duration,
        idle: Duration,
        answer: impl Future<Output = T>,
    ) -> Result<T> {
        let began = Instant::now();
        tokio::pin!(answer);
        loop {
            let (since, patience) = match self.stage() {
                Stage::NotBegun => (began, request),
                Stage::Moved(at) => (at, idle),
                Stage::Waits => (Instant::now(), idle),
                Stage::Over(at) | Stage::BrokeOff(at) => (at, request),
            };
            if since.elapsed() >= patience {
                return Err(Error::timeout("the media service", patience));
            }
            // It may get on meanwhile, and then there may be less time than there was.
            let until = (since + patience).min(Instant::now() + request.min(idle));
            if let Ok(answer) = tokio::time::timeout_at(until, &mut answer).await {
                return Ok(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const REQUEST: Duration = Duration::from_secs(60);
    const IDLE: Duration = Duration::from_secs(3);

    /// How long it is waited for an answer that never comes, while a body gets on like this.
    async fn patience(body: impl Future<Output = ()>, progress: &Progress) -> Duration {
        let began = Instant::now();
        let watch = progress.watch(REQUEST, IDLE, pending::<()>());
        tokio::join!(watch, body).0.expect_err("there is no answer");
        began.elapsed()
    }

    async fn after(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn r06_a_body_has_the_idle_time_for_each_bit_and_an_answer_the_time_of_a_request() {
        let nothing = Progress::default();
        assert_eq!(patience(async {}, &nothing).await, REQUEST);

        let stuck = Progress::default();
        let sent = async {
            for _ in 0..10 {
                after(2).await;
                stuck.moved();
            }
        };
        assert_eq!(patience(sent, &stuck).await, Duration::from_secs(20) + IDLE);

        let unanswered = Progress::default();
        let sent = async {
            unanswered.moved();
            after(2).await;
            unanswered.is_over();
        };
        assert_eq!(patience(sent, &unanswered).await, Duration::from_secs(2) + REQUEST);

        // The sender's own time is watched by the stream.
        let slow = Progress::default();
        let sent = async {
            slow.waits();
            after(60).await;
            slow.moved();
        };
        assert_eq!(patience(sent, &slow).await, Duration::from_secs(60) + IDLE);
    }
}
