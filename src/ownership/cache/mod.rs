//! A TTL cache of ownership answers with single-flight batches (promise G12), for backends whose queries are
//! expensive.
//!
//! The cache keeps positive answers only, and none longer than `max_staleness`. For each owner and set of
//! scopes at most one query is in flight; the ids of later callers wait in one batch behind it. An upload
//! or a deletion invalidates the answers that it may contradict.

mod answer;
mod ownership_cache;
mod query_task;
mod state;

pub(crate) use self::{answer::QueryResult, ownership_cache::OwnershipCache, query_task::QueryFn};

#[cfg(test)]
mod tests;
