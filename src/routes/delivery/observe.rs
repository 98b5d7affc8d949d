//! What the operator sees of deliveries: a counter with bounded labels (promise G16). What goes wrong
//! in a backend is logged where it becomes a response.

/// Counts an answer to somebody who may have the bytes.
pub(super) fn delivered(result: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_deliveries_total", "result" => result).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = result;
}
