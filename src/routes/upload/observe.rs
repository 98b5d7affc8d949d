//! Events and a counter of uploads, without file names (promise G16).

use std::error::Error as StdError;

fn count(result: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_uploads_total", "result" => result).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = result;
}

pub(super) fn stored() {
    count("stored");
}

/// Reports a refused or failed upload. `reason` is one of a bounded set.
pub(super) fn refused(
    reason: &'static str,
    is_server_error: bool,
    error: &(dyn StdError + 'static),
) {
    count(reason);
    if is_server_error {
        tracing::error!(reason, error, "upload failed");
    } else {
        tracing::debug!(reason, error, "upload refused");
    }
}
