//! The media service over HTTP.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::result_large_err,
    reason = "tests"
)]

mod conformance;
mod example;
#[path = "../common/log.rs"]
mod log;
mod observed;
mod ownership;
mod raw;
mod recorded;
mod service;
mod sharing;
mod trouble;
mod wire;
