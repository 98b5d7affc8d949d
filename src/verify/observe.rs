//! Logs and metrics of the guard, without secrets, file names or unbounded labels (promise G16).

use std::error::Error as StdError;

use axum::http::StatusCode;

use crate::{extract::VerifyMediaRejection, id::UnverifiedId, ownership::Claim, state::MediaState};

/// Counts a result of the guard. The key has literal parts only, so it is built at compile time.
macro_rules! count {
    ($result:tt) => {{
        #[cfg(feature = "metrics")]
        metrics::counter!("tower_media_checks_total", "result" => $result).increment(1);
    }};
}

pub(super) fn passed() {
    count!("owned");
}

pub(super) fn extractor_refused(extractor: &'static str, status: StatusCode) {
    count!("extractor_refused");
    tracing::debug!(extractor, status = status.as_u16(), "request refused by the extractor");
}

pub(super) fn refused(extractor: &'static str, rejection: &VerifyMediaRejection) {
    let reason = rejection.label();
    count!(reason);
    match rejection {
        VerifyMediaRejection::WrongWiring(_) => {
            tracing::error!(extractor, reason, "request refused: {rejection}");
        }
        VerifyMediaRejection::NoSuchRoute(_) => {
            let hint = "if a route matches the path, the layer is outside of it";
            tracing::warn!(
                extractor,
                reason,
                hint,
                "request refused: no route matched, so the request has no path parameters"
            );
        }
        VerifyMediaRejection::CheckFailed(failed) => {
            let error = failed.error() as &(dyn StdError + 'static);
            tracing::error!(
                extractor,
                reason,
                error,
                "request refused: the ownership check failed"
            );
        }
        VerifyMediaRejection::MediaNotOwned(not_owned) => {
            let missing = not_owned.missing().len();
            tracing::info!(extractor, reason, missing, "request refused: media not owned");
        }
        _ => tracing::debug!(extractor, reason, "request refused: {rejection}"),
    }
}

/// The log target that explains each refused id to the operator.
macro_rules! target {
    () => {
        "tower_media::explain"
    };
}

/// Returns whether the target is enabled. Each refusal then costs a second query.
pub(super) fn explains() -> bool {
    tracing::enabled!(target: target!(), tracing::Level::DEBUG)
}

pub(super) async fn explain(media: &MediaState, claim: &Claim, missing: &[UnverifiedId]) {
    let Claim { owner, scopes, .. } = claim;
    match media.admin().explain(owner, scopes.clone(), missing.iter().cloned()).await {
        Ok(statuses) => {
            for (id, status) in statuses {
                tracing::debug!(target: target!(), ?owner, ?id, ?status, "media not owned");
            }
        }
        Err(error) => {
            tracing::debug!(target: target!(), error = &error as &dyn StdError, "the ownership did not explain the refusal");
        }
    }
}
