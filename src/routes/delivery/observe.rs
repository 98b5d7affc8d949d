//! The counter of deliveries, with bounded labels (promise G16). Backend failures are logged where an
//! error becomes a response.

/// Counts a response to a request that was authorized.
pub(super) fn delivered(result: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_deliveries_total", "result" => result).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = result;
}
