//! What a backend promises, and what `MediaState` makes of any backend.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod broken;
mod support;

mod conformance;
mod download;
mod extract;
mod record;
mod state;
mod upload;
mod verify;
