//! The media service over HTTP.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::result_large_err,
    reason = "tests"
)]

mod service;

mod conformance;
mod ownership;
mod sharing;
