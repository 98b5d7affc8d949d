//! The server side of the media protocol, for trusted callers.

mod authenticate;
mod compatibility;
mod error;
mod file;
mod form;
mod keys;
mod lists;
mod media;
mod networks;
mod observe;
mod query;
mod routes;
mod upload;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::extract::State;
use tokio::sync::Semaphore;

use self::compatibility::Compatibility;
pub use self::{keys::ServiceKeys, routes::ServiceRoutes};
use crate::state::MediaState;

/// The state that the handlers share.
struct ServiceState {
    media: MediaState,
    limits: UploadLimits,
    uploads: Semaphore,
    metrics: Option<Box<Render>>,
    compatibility: Compatibility,
    /// How long the URL of a redirect is valid; `None` if the bytes are always delivered from here.
    redirect: Option<Duration>,
}

type SharedState = State<Arc<ServiceState>>;

type Render = dyn Fn() -> String + Send + Sync;

/// The limits of an upload.
#[derive(Debug, Clone)]
struct UploadLimits {
    /// The greatest size of the file in bytes.
    max_bytes: u64,
    idle_timeout: Duration,
    /// The minimum rate in bytes per second.
    min_rate: u32,
    /// The folder for a large file while the rest of its form is read.
    spool: PathBuf,
}
