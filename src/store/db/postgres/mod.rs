//! The database of a store in PostgreSQL, shared by any number of processes.

mod blobs;
mod config;
mod decode;
mod delete;
mod engine;
mod error;
mod listing;
mod migrate;
mod ownership;
mod pool;
#[cfg(test)]
mod query_plans;
mod renditions;
mod search;
mod transfer;
mod uploads;

pub use self::config::Postgres;
pub(crate) use self::engine::PostgresDatabase;
