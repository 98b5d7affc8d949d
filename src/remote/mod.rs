#![doc = include_str!("../docs/remote.md")]

mod backend;
mod builder;
mod circuit_breaker;
mod client;
mod download;
mod listing;
mod observe;
mod ownership;
mod ownership_cache;
mod redirect;
mod response;
mod upload;
mod upload_progress;

/// The client below, for [`RemoteBuilder::configure_client`].
pub use reqwest;

pub use self::{backend::Remote, builder::RemoteBuilder};
