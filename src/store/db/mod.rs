//! The rows of a store: ownership, scopes, renditions, and which blobs are unreferenced.
//!
//! [`Catalog`] is the trait that an engine implements; [`SqliteCatalog`] is the engine there is.

mod content_lock;
mod database;
mod records;
mod sqlite;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    content_lock::ContentLock,
    database::Catalog,
    records::{Content, Entry, Listing, Matches, RenditionRow, Row},
    sqlite::SqliteCatalog,
};
