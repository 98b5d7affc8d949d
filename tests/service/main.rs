//! The service routes: compared with the recordings, used through `Remote`, and attacked.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod attack;
mod bounds;
mod callers;
mod compatible;
#[path = "../store/faulty_store.rs"]
mod faulty_store;
mod keys;
mod networks;
mod recorded;
mod remote;
mod slow;
mod support;
