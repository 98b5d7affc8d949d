//! Rows of a store: ownership, scopes, renditions, and which blobs are unreferenced.
//!
//! [`Database`] is the trait of an engine, one supertrait for each subject; [`SqliteDatabase`] implements it.

mod content_lock;
mod database;
mod decode;
mod error;
mod records;
mod sqlite;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    content_lock::ContentLock,
    database::{
        BlobQueries, Database, DeleteQueries, ListQueries, OwnershipQueries, RenditionQueries,
        UploadQueries,
    },
    records::{BlobRow, Listing, Matches, MediaRow, NewMedia, OwnerRow, RenditionRow},
    sqlite::SqliteDatabase,
};
