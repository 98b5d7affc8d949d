//! What the operator sees of uploads: events and a counter, without file names (promise G16).

use std::error::Error as StdError;

use super::UploadRejection;

fn count(result: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("tower_media_uploads_total", "result" => result).increment(1);
    #[cfg(not(feature = "metrics"))]
    let _ = result;
}

pub(super) fn stored() {
    count("stored");
}

pub(super) fn refused(rejection: &UploadRejection) {
    let reason = rejection.label();
    count(reason);
    let error = rejection as &(dyn StdError + 'static);
    if rejection.status().is_server_error() {
        tracing::error!(reason, error, "upload failed");
    } else {
        tracing::debug!(reason, error, "upload refused");
    }
}
