//! The timeout of a request with a streamed body: it restarts while the body makes progress.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// The progress of a request body. Clones share it.
#[derive(Clone, Default)]
pub(super) struct UploadProgress(Arc<Mutex<Stage>>);

#[derive(Clone, Copy, Default)]
enum Stage {
    /// The connection has not requested a byte; the request may have no body.
    #[default]
    NotStarted,
    /// The connection took a chunk, and more may follow.
    Sent(Instant),
    /// The connection waits for the next chunk of the source.
    WaitsForSource,
    /// The connection took the last chunk.
    Finished(Instant),
    /// The source failed.
    Failed(Instant),
}

impl UploadProgress {
    /// Notes that the connection took a chunk.
    pub(super) fn chunk_sent(&self) {
        self.set(Stage::Sent(Instant::now()));
    }

    /// Notes that the source has no chunk ready, so the service is not the cause of a stall.
    pub(super) fn source_pending(&self) {
        self.set(Stage::WaitsForSource);
    }

    /// Notes that the connection took the last chunk.
    pub(super) fn finished(&self) {
        self.set(Stage::Finished(Instant::now()));
    }

    /// Notes that the source failed before its end.
    pub(super) fn failed(&self) {
        self.set(Stage::Failed(Instant::now()));
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.stage(), Stage::Failed(_))
    }

    fn set(&self, stage: Stage) {
        *self.0.lock() = stage;
    }

    fn stage(&self) -> Stage {
        *self.0.lock()
    }

    /// Waits for `response`: up to `idle` for each chunk of the body to be taken, and up to `request`
    /// from the last chunk on. Fails with the timeout that has elapsed.
    pub(super) async fn wait_for_response<T>(
        &self,
        request: Duration,
        idle: Duration,
        response: impl Future<Output = T>,
    ) -> Result<T, Duration> {
        let started = Instant::now();
        tokio::pin!(response);
        loop {
            let (since, timeout) = match self.stage() {
                Stage::NotStarted => (started, request),
                Stage::Sent(at) => (at, idle),
                Stage::WaitsForSource => (Instant::now(), idle),
                Stage::Finished(at) | Stage::Failed(at) => (at, request),
            };
            if since.elapsed() >= timeout {
                return Err(timeout);
            }
            // The stage may change while this waits, and the next stage may have a shorter timeout.
            let until = (since + timeout).min(Instant::now() + request.min(idle));
            if let Ok(response) = tokio::time::timeout_at(until, &mut response).await {
                return Ok(response);
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

    /// Returns the time that `wait_for_response` waits without a response, while `body` runs.
    async fn timeout(body: impl Future<Output = ()>, progress: &UploadProgress) -> Duration {
        let started = Instant::now();
        let wait = progress.wait_for_response(REQUEST, IDLE, pending::<()>());
        tokio::join!(wait, body).0.expect_err("no response comes");
        started.elapsed()
    }

    async fn after(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn r06_idle_timeout_per_chunk_then_request_timeout() {
        let nothing = UploadProgress::default();
        assert_eq!(timeout(async {}, &nothing).await, REQUEST);

        let stuck = UploadProgress::default();
        let sent = async {
            for _ in 0..10 {
                after(2).await;
                stuck.chunk_sent();
            }
        };
        assert_eq!(timeout(sent, &stuck).await, Duration::from_secs(20) + IDLE);

        let unanswered = UploadProgress::default();
        let sent = async {
            unanswered.chunk_sent();
            after(2).await;
            unanswered.finished();
        };
        assert_eq!(timeout(sent, &unanswered).await, Duration::from_secs(2) + REQUEST);

        // A slow source has its own idle timeout, in the stream.
        let slow = UploadProgress::default();
        let sent = async {
            slow.source_pending();
            after(60).await;
            slow.chunk_sent();
        };
        assert_eq!(timeout(sent, &slow).await, Duration::from_secs(60) + IDLE);
    }
}
