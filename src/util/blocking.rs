//! Blocking work off the async threads.

use crate::error::{Error, ErrorKind, Result};

/// Runs blocking work on tokio's blocking pool. A panic of the work is [`ErrorKind::Internal`].
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| {
        Error::new(ErrorKind::Internal, "blocking work panicked or was cancelled")
            .with_source(panic)
    })
}
