//! The rows of a store: ownership, scopes, renditions, and which blobs are unreferenced.
//!
//! [`Database`] is the trait that an engine implements; [`SqliteDatabase`] is the engine there is.

mod content_lock;
mod database;
mod records;
mod sqlite;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    content_lock::ContentLock,
    database::Database,
    records::{Content, Entry, Listing, Matches, RenditionRow, Row},
    sqlite::SqliteDatabase,
};
