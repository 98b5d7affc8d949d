//! `GET /health` and `GET /ready`.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// The body of the response to `GET /health`.
#[derive(Serialize)]
pub(crate) struct HealthResponse {
    status: &'static str,
    service: &'static str,
    #[serde(serialize_with = "in_millis")]
    timestamp: Timestamp,
}

impl HealthResponse {
    pub(crate) fn now() -> Self {
        Self { status: "ok", service: "tower-media", timestamp: Timestamp::now() }
    }
}

/// The body of a successful response to `GET /ready`.
#[derive(Serialize)]
pub(crate) struct ReadyResponse {
    status: &'static str,
}

impl ReadyResponse {
    pub(crate) const READY: Self = Self { status: "ready" };
}

fn in_millis<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}
