//! The contract of a backend, and `MediaState` over any backend.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod broken;
mod support;

mod conformance;
mod delivered;
mod download;
mod extract;
mod record;
mod sources;
mod sql;
mod state;
mod upload;
mod verify;
