//! The database of a store in one SQLite file.

mod blobs;
mod decode;
mod delete;
mod engine;
mod error;
mod listing;
mod migrate;
mod ownership;
#[cfg(test)]
mod query_plans;
mod read_pool;
mod renditions;
mod search;
mod transfer;
mod uploads;
mod writer;

pub(crate) use self::engine::SqliteDatabase;
