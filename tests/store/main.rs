//! The store through its public API.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod faulty_store;
mod support;

mod conformance;
mod crash;
mod failures;
mod faults;
mod folder;
mod images;
mod limits;
mod maintenance;
mod moving;
mod owners;
mod renditions;
