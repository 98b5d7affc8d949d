//! A TTL cache of ownership answers with single-flight batches (promise G12).
//!
//! The cache keeps positive answers only, each no longer than the staleness allowed. For each owner and
//! set of scopes at most one query is in flight; ids of later callers wait in one batch behind it.

mod answer;
mod cache;

pub(super) use self::{
    answer::Answer,
    cache::{Ask, Questions},
};
