//! What goes wrong in the database, as an error of this crate.

use std::path::Path;

use sqlx::migrate::MigrateError;

use crate::error::{Error, ErrorKind};

/// Why an operation was not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database failed.
    Database(sqlx::Error),
    /// The operation is not to be.
    Refused(Error),
}

impl From<sqlx::Error> for Fault {
    fn from(source: sqlx::Error) -> Self {
        Self::Database(source)
    }
}

impl From<Error> for Fault {
    fn from(refusal: Error) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(source) => database(source),
            Fault::Refused(refusal) => refusal,
        }
    }
}

/// What a failure of SQLite means. The numbers are its primary result codes.
pub(super) fn database(source: sqlx::Error) -> Error {
    use ErrorKind::{Integrity, Internal, Unavailable};
    let (kind, message) = match &source {
        sqlx::Error::Database(error) => match code(error.code().as_deref()) {
            Some(5 | 6) => (Unavailable, "the db is locked by another process"),
            Some(7) => (Unavailable, "there is no memory for the db"),
            Some(8) => (Unavailable, "the db can only be read"),
            Some(10) => (Unavailable, "the db's file cannot be read or written"),
            Some(11 | 26) => return damaged(source),
            Some(13) => (Unavailable, "there is no room left for the db"),
            Some(14) => (Unavailable, "the db's file cannot be opened"),
            _ => (Internal, "the db failed"),
        },
        sqlx::Error::Io(_) => (Unavailable, "the db's file cannot be opened"),
        sqlx::Error::WorkerCrashed => (Unavailable, "the db's connection broke"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (Integrity, "the db holds what it cannot hold")
        }
        _ => (Internal, "the db failed"),
    };
    Error::new(kind, message).with_source(source)
}

/// SQLite tells its extended codes, of which the last byte is the primary one.
fn code(extended: Option<&str>) -> Option<u32> {
    extended?.parse().ok().map(|code: u32| code & 0xff)
}

pub(super) fn damaged(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Integrity, "the db's file is damaged").with_source(source)
}

pub(super) fn migration(source: MigrateError) -> Error {
    match source {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            database(source)
        }
        source => damaged(source),
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the db is closed")
}

/// A database that some other program made.
pub(super) fn foreign(path: &Path) -> Error {
    let name = path.display();
    Error::new(ErrorKind::InvalidInput, format!("{name} is a database of something else"))
}

/// A db that a later version of this crate has changed.
pub(super) fn newer(path: &Path, found: i64, known: i64) -> Error {
    let name = path.display();
    let what = format!(
        "{name} was written by a newer version of this crate: its schema is {found}, and this \
         version knows {known}"
    );
    Error::new(ErrorKind::Unsupported, what)
}
