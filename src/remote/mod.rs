#![doc = include_str!("../docs/remote.md")]

mod backend;
mod builder;
mod call;
mod circuit_breaker;
mod client;
mod download;
mod listing;
mod observe;
mod ownership_client;
mod public_urls;
mod redirect;
mod response;
mod upload;
mod upload_progress;

/// The HTTP client crate, for [`RemoteBuilder::configure_client`].
pub use reqwest;

pub use self::{backend::Remote, builder::RemoteBuilder};
