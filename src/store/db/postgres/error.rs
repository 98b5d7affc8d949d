//! Database failures as errors of this crate.

use crate::error::{Error, ErrorKind};
pub(super) use crate::store::db::error::{busy, closed, damaged, over_quota, unknown_page_token};

/// The cause if a connection leads to a standby, whose answers may be late.
pub(super) const STANDBY: &str = "the connection leads to a standby; connect to the primary";

const UNPREPARED: &str = "the connection pooler does not keep prepared statements; set \
    `Postgres::prepared_statements(false)`, or `max_prepared_statements` in PgBouncer 1.21 or newer";

/// The reason why a statement or a transaction was not completed.
#[derive(Debug)]
pub(super) enum DbError {
    /// PostgreSQL or the connection failed.
    Postgres(sqlx::Error),
    /// The write was refused, such as one over the quota.
    Refused(Error),
}

impl From<sqlx::Error> for DbError {
    fn from(source: sqlx::Error) -> Self {
        Self::Postgres(source)
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
            DbError::Postgres(source) => database(source),
            DbError::Refused(refusal) => refusal,
        }
    }
}

impl DbError {
    fn code(&self) -> String {
        match self {
            Self::Postgres(sqlx::Error::Database(error)) => {
                error.code().unwrap_or_default().into_owned()
            }
            _ => String::new(),
        }
    }

    /// Returns whether the connection is lost: by the network, a restart, or a failover.
    pub(super) fn is_lost(&self) -> bool {
        let code = self.code();
        matches!(
            self,
            Self::Postgres(
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed
            )
        ) || code.starts_with("08")
            || matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03")
    }

    /// Returns whether PostgreSQL has rolled the transaction back because of another one.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(&*self.code(), "40001" | "40P01")
    }

    /// Returns whether a pooler has given the connection to others, who named their statements alike.
    pub(super) fn is_unprepared(&self) -> bool {
        matches!(&*self.code(), "26000" | "42P05")
    }
}

/// Maps a failure by its SQLSTATE.
pub(super) fn database(source: sqlx::Error) -> Error {
    use ErrorKind::{Integrity, Internal, Timeout, Unavailable, Unsupported};
    let (kind, message) = match &source {
        sqlx::Error::Database(error) => match error.code().as_deref().unwrap_or_default() {
            "57014" => (Timeout, "the database query exceeded its deadline"),
            "55P03" => (Unavailable, "the database row is locked by another transaction"),
            "40001" | "40P01" => (Unavailable, "the write conflicts with concurrent ones; retry"),
            "25006" => (Unavailable, STANDBY),
            "26000" | "42P05" => (Unsupported, UNPREPARED),
            "53100" => (Unavailable, "the disk of the database is full"),
            "53300" => (Unavailable, "the database has no free connection"),
            "42501" => (Unavailable, "the database role lacks a permission"),
            "3D000" => (Unavailable, "the database does not exist"),
            "3F000" | "42P01" => (Integrity, "the database has no media tables"),
            "22021" => {
                (ErrorKind::InvalidInput, "a text contains U+0000, which PostgreSQL cannot store")
            }
            "XX001" | "XX002" => return damaged(source),
            code if code.starts_with("28") => (Unavailable, "the database refused the credentials"),
            code if code.starts_with("08") || code.starts_with("57") => {
                (Unavailable, "the database connection was lost")
            }
            code if code.starts_with("53") || code.starts_with("58") => {
                (Unavailable, "the database is out of resources")
            }
            "25P03" => (Unavailable, "the database connection was lost"),
            _ => (Internal, "the database failed"),
        },
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            (Unavailable, "the database connection was lost")
        }
        sqlx::Error::Tls(_) => (
            Unavailable,
            "the database connection cannot be encrypted; check `sslmode`, and the feature `postgres-tls`",
        ),
        sqlx::Error::PoolTimedOut => (Unavailable, "the database gave no connection in time"),
        sqlx::Error::PoolClosed => return closed(),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (Integrity, "the database holds an invalid value")
        }
        sqlx::Error::Configuration(_) => (Unavailable, "the database connection was refused"),
        _ => (Internal, "the database failed"),
    };
    Error::new(kind, message).with_source(source)
}

/// The schema is that of another program.
pub(super) fn foreign() -> Error {
    let message = "the schema tower_media of the database was made by another program";
    Error::new(ErrorKind::InvalidInput, message)
}

/// A newer version of this crate migrated the database, and this one cannot work with it.
pub(super) fn newer(found: i64, known: i64) -> Error {
    let message = format!(
        "the database was migrated by a newer version of this crate: its schema version is {found}, and \
         this version knows {known}; update the crate"
    );
    Error::new(ErrorKind::Unsupported, message)
}

/// The database cannot store all texts.
pub(super) fn wrong_encoding(found: &str) -> Error {
    let message =
        format!("the encoding of the database is {found}; create it with ENCODING 'UTF8'");
    Error::new(ErrorKind::InvalidInput, message)
}
