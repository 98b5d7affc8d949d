//! Metrics and events of the client, without owners, ids, file names or keys (promise G16).

use std::time::Duration;

use reqwest::StatusCode;
use tracing::{Span, field::Empty};

use crate::error::ErrorKind;

/// The span of one call, retries included, until the response head arrives. Spans of one operation have
/// the same fields.
pub(super) fn call_span(operation: &'static str) -> Span {
    tracing::info_span!("media.remote", operation, attempts = Empty, status = Empty, error = Empty)
}

pub(super) fn record_outcome(span: &Span, attempts: u32, status: Result<StatusCode, ErrorKind>) {
    span.record("attempts", attempts);
    match status {
        Ok(status) => span.record("status", status.as_u16()),
        Err(kind) => span.record("error", tracing::field::debug(kind)),
    };
}

/// Counts and logs a retry.
pub(super) fn retry(delay: Duration) {
    tracing::debug!(?delay, "retrying a call of the media service");
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_retries_total").increment(1);
}

/// Counts and logs that the circuit breaker opened.
pub(super) fn circuit_opened(pause: Duration) {
    tracing::warn!(?pause, "circuit breaker opened after repeated failures of the media service");
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_circuit_opened_total").increment(1);
}

/// Counts bytes of an upload.
pub(super) fn sent(bytes: usize) {
    count_bytes("up", bytes);
}

/// Counts bytes of a download.
pub(super) fn received(bytes: usize) {
    count_bytes("down", bytes);
}

fn count_bytes(direction: &'static str, bytes: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_bytes_total", "direction" => direction)
        .increment(bytes as u64);
    #[cfg(not(feature = "metrics"))]
    let _ = (direction, bytes);
}
