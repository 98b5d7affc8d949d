//! The media service over HTTP.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod raw;
mod recorded;
mod trouble;
mod wire;
