//! The media service over HTTP.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod service;

mod conformance;
mod ownership;
mod sharing;
