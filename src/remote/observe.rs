//! What the operator sees of a service: counters and events, without owners, names or keys (G16).

use std::time::Duration;

use reqwest::StatusCode;
use tracing::{Span, field::Empty};

use crate::error::ErrorKind;

/// One call of the service, retries included, until the head of the answer is there. Every span of one
/// operation looks the same, whoever asks for whatever.
pub(super) fn call(operation: &'static str) -> Span {
    tracing::info_span!("media.remote", operation, attempts = Empty, status = Empty, error = Empty)
}

pub(super) fn answered(span: &Span, attempts: u32, status: Result<StatusCode, ErrorKind>) {
    span.record("attempts", attempts);
    match status {
        Ok(status) => span.record("status", status.as_u16()),
        Err(kind) => span.record("error", tracing::field::debug(kind)),
    };
}

/// A check that was answered from memory, rather than by a question that it asked or shared.
pub(super) fn remembered() {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_checks_total", "answer" => "remembered").increment(1);
}

/// A check that waited for a question, be it its own or somebody else's.
pub(super) fn waited() {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_checks_total", "answer" => "waited").increment(1);
}

/// A question about ownership to the service. It may be several requests.
pub(super) fn asked() {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_questions_total").increment(1);
}

/// A request that is sent once more.
pub(super) fn retried(pause: Duration) {
    tracing::debug!(?pause, "media service asked again");
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_retries_total").increment(1);
}

/// The circuit opened: nobody asks for a while.
pub(super) fn opened(pause: Duration) {
    tracing::warn!(?pause, "media service failed repeatedly and is left alone");
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_remote_circuit_opened_total").increment(1);
}

/// Bytes of an upload that left.
pub(super) fn sent(bytes: usize) {
    count_bytes("up", bytes);
}

/// Bytes of a download that arrived.
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
