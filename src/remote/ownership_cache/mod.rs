//! A TTL cache of ownership answers with single-flight batches (promise G12).
//!
//! The cache keeps positive answers only, and none longer than `max_staleness`. For each owner and set of
//! scopes at most one query is in flight; the ids of later callers wait in one batch behind it. An upload
//! or a deletion invalidates the answers that it may contradict.

mod answer;
mod cache;

pub(super) use self::{
    answer::QueryResult,
    cache::{OwnershipCache, QueryFn},
};
