//! Database failures as errors of this crate.

use std::path::Path;

use sqlx::migrate::MigrateError;

use crate::error::{Error, ErrorKind};
pub(super) use crate::store::db::error::{busy, closed, damaged, unknown_page_token};

/// The reason why a write was not applied.
#[derive(Debug)]
pub(super) enum DbError {
    /// SQLite failed.
    Sqlite(sqlx::Error),
    /// The write was refused, such as one over the quota.
    Refused(Error),
}

impl From<sqlx::Error> for DbError {
    fn from(source: sqlx::Error) -> Self {
        Self::Sqlite(source)
    }
}

impl From<Error> for DbError {
    fn from(refusal: Error) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Sqlite(source) => database(source),
            DbError::Refused(refusal) => refusal,
        }
    }
}

/// Maps a failure of SQLite by its primary result code.
pub(super) fn database(source: sqlx::Error) -> Error {
    use ErrorKind::{Integrity, Internal, Timeout, Unavailable};
    let (kind, message) = match &source {
        sqlx::Error::Database(error) => match primary_code(error.code().as_deref()) {
            Some(5 | 6) => (Unavailable, "the database is locked by another process"),
            Some(7) => (Unavailable, "the database ran out of memory"),
            Some(8) => (Unavailable, "the database file is read-only"),
            Some(9) => (Timeout, "the database query exceeded its deadline"),
            Some(10) => (Unavailable, "the database file cannot be read or written"),
            Some(11 | 26) => return damaged(source),
            Some(13) => (Unavailable, "the disk of the database is full"),
            Some(14) => (Unavailable, "the database file cannot be opened"),
            _ => (Internal, "the database failed"),
        },
        sqlx::Error::Io(_) => (Unavailable, "the database file cannot be opened"),
        sqlx::Error::WorkerCrashed => (Unavailable, "the database connection was lost"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (Integrity, "the database holds an invalid value")
        }
        _ => (Internal, "the database failed"),
    };
    Error::new(kind, message).with_source(source)
}

/// The primary result code, which is the last byte of the extended code that SQLite reports.
fn primary_code(extended: Option<&str>) -> Option<u32> {
    extended?.parse().ok().map(|code: u32| code & 0xff)
}

pub(super) fn migration(source: MigrateError) -> Error {
    match source {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            database(source)
        }
        source => damaged(source),
    }
}

/// The file is a database of another program.
pub(super) fn foreign(path: &Path) -> Error {
    let path = path.display();
    Error::new(ErrorKind::InvalidInput, format!("{path} is a database of another program"))
}

/// A newer version of this crate migrated the file.
pub(super) fn newer(path: &Path, found: i64, known: i64) -> Error {
    let path = path.display();
    let message = format!(
        "{path} was written by a newer version of this crate: its schema version is {found}, and this \
         version knows {known}; update the crate"
    );
    Error::new(ErrorKind::Unsupported, message)
}
