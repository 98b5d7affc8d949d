//! Rows of a store: ownership, scopes, contents and their references, renditions.
//!
//! [`Database`] is the trait of an engine, one supertrait for each subject; [`SqliteDatabase`] and
//! `PostgresDatabase` implement it.

mod database;
mod decode;
mod error;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod sqlite;
#[cfg(test)]
mod tests;

#[cfg(feature = "postgres")]
pub use self::postgres::Postgres;
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::PostgresDatabase;
pub(crate) use self::{
    database::{
        BlobQueries, Database, DeleteQueries, ListQueries, OwnershipQueries, RenditionQueries,
        TransferQueries, UploadQueries,
    },
    error::over_quota,
    records::{
        BlobId, BlobRow, Generation, Imported, Listing, Matches, MediaRow, NewMedia, OwnerRow,
        RenditionRow, TransferRow,
    },
    sqlite::SqliteDatabase,
};
