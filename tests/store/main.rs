//! The store through its public API.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod faulty_store;
#[path = "../common/postgres.rs"]
#[allow(dead_code, reason = "shared with the tests of the database")]
mod postgres;
mod support;

mod conformance;
mod crash;
mod failures;
mod fair_shares;
mod faults;
mod folder;
mod images;
mod limits;
mod maintenance;
mod migration;
mod moving;
mod owners;
mod protocol;
mod renditions;
