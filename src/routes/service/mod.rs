//! The whole media protocol, for trusted callers.

mod file;
mod form;
mod keys;
mod lists;
mod media;
mod observe;
mod query;
mod refusal;
mod routes;
mod spool;
mod upload;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::extract::State;
use tokio::sync::Semaphore;

pub use self::{keys::ServiceKeys, routes::ServiceRoutes};
use crate::state::MediaState;

/// What the handlers share.
struct Service {
    media: MediaState,
    limits: Limits,
    uploads: Semaphore,
    metrics: Option<Box<Render>>,
}

type Shared = State<Arc<Service>>;

type Render = dyn Fn() -> String + Send + Sync;

/// What an upload is held to.
#[derive(Debug, Clone)]
struct Limits {
    /// Of the file.
    max_bytes: u64,
    /// How long nothing may come.
    idle: Duration,
    /// Where what is too much for memory waits for the rest of its form.
    spool: PathBuf,
}
