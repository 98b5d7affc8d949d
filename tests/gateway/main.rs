//! The store over a bucket of a real object store, which `.ci/gateway` starts.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

#[path = "../common/proxy.rs"]
mod proxy;
mod support;

mod conformance;
mod faults;
mod multipart;
mod objects;
mod redirects;
