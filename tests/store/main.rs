//! The store in the application's own process, through its public face.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod faulty_store;
mod support;

mod care;
mod conformance;
mod crash;
mod faults;
mod folder;
mod limits;
mod owners;
mod pictures;
mod renditions;
