//! `GET /stats`.

use serde::Serialize;

use crate::media::MediaStats;

/// The body of the response to `GET /stats`. Clients of the original service expect the names `totalCount`
/// and `totalSize`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatsResponse {
    count: u64,
    /// The size of all originals in bytes.
    bytes: u64,
    total_count: u64,
    total_size: u64,
}

impl From<MediaStats> for StatsResponse {
    fn from(MediaStats { count, bytes, .. }: MediaStats) -> Self {
        Self { count, bytes, total_count: count, total_size: bytes }
    }
}
