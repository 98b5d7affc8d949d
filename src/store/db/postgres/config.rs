//! The address of a PostgreSQL database, and the settings of its connections.

use std::{fmt, str::FromStr as _, time::Duration};

use sqlx::{
    ConnectOptions as _, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::error;
use crate::error::{Error, ErrorKind, Result};

/// Minimum number of connections: one for each of ownership queries, other reads, and writes.
const MIN_CONNECTIONS: u32 = 4;

/// How long a connection may take to open, or a caller to get one.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A PostgreSQL database for [`StoreBuilder::postgres`](crate::store::StoreBuilder::postgres), version 13 or
/// newer.
///
/// Made from a URL, from sqlx's `PgConnectOptions`, or from a `PgPool`:
///
/// - **A URL**, `postgres://user:password@host:5432/name?sslmode=verify-full`. `PGHOST` and the other
///   variables of libpq fill what it leaves out. TLS needs the feature `postgres-tls`; without it
///   `sslmode=require` and above are refused, and the default `prefer` means no TLS.
/// - **A pool** is used as it is, with its own limits. Its `test_before_acquire` adds a round trip to each
///   ownership query, and its `acquire_timeout` beyond 3 s has no effect. Connections that the application
///   itself holds are missing to the checks, so a pool of the store's own is better.
///
/// The tables are in the schema `tower_media`, which the first start creates, so a database holds one store.
/// The [guide](crate::guide::many_machines) covers sizing, PgBouncer, failover and backup.
///
/// # Default
///
/// 16 connections for each process, and prepared statements.
///
/// # Example
///
/// ```no_run
/// use tower_media::{Store, store::Postgres};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// let database = Postgres::from("postgres://media@db.internal/media").max_connections(32);
/// let store = Store::builder().postgres(database).open("/mnt/shared/media").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "it is passed to `StoreBuilder::postgres`"]
pub struct Postgres {
    source: Source,
    max_connections: u32,
    prepared_statements: bool,
}

#[derive(Clone)]
enum Source {
    Url(String),
    Options(Box<PgConnectOptions>),
    Pool(PgPool),
}

impl Postgres {
    fn new(source: Source) -> Self {
        Self { source, max_connections: 16, prepared_statements: true }
    }

    /// Sets the maximum number of connections of this process, at least 4. Default: 16. A pool has its own
    /// setting.
    ///
    /// A quarter of them serve lists and searches, and half of them writes; the rest is kept for ownership
    /// queries and single rows, which may use all (promise R11).
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets whether ownership queries and single rows use named prepared statements. Default: `true`.
    ///
    /// With `false` they take four round trips instead of one, and work behind a pooler that gives each
    /// transaction another connection: PgBouncer before 1.21, or without `max_prepared_statements`, in
    /// transaction mode. With `true` behind such a pooler, the first collision of names is logged at `warn`
    /// and switches to `false`.
    pub fn prepared_statements(mut self, prepared: bool) -> Self {
        self.prepared_statements = prepared;
        self
    }

    pub(super) fn is_prepared(&self) -> bool {
        self.prepared_statements
    }

    /// Opens the pool, and returns whether this crate owns it.
    pub(super) fn pool(&self) -> Result<(PgPool, bool)> {
        let options = match &self.source {
            Source::Pool(pool) => {
                enough(pool.options().get_max_connections())?;
                return Ok((pool.clone(), false));
            }
            Source::Options(options) => PgConnectOptions::clone(options),
            Source::Url(url) => PgConnectOptions::from_str(url).map_err(invalid_url)?,
        };
        enough(self.max_connections)?;
        // Poolers refuse startup parameters that they do not know, and nothing here is a float.
        let options = options.extra_float_digits(None).disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(self.max_connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            // A ping would double the round trips of a check. A lost connection is replaced instead.
            .test_before_acquire(false)
            .after_connect(|conn, _| {
                Box::pin(async move {
                    let row = sqlx::raw_sql("SELECT pg_is_in_recovery()::text").fetch_one(conn);
                    match row.await?.try_get::<&str, _>(0)? {
                        "false" => Ok(()),
                        _ => Err(sqlx::Error::Configuration(error::STANDBY.into())),
                    }
                })
            })
            .connect_lazy_with(options);
        Ok((pool, true))
    }
}

fn enough(connections: u32) -> Result<()> {
    if connections >= MIN_CONNECTIONS {
        return Ok(());
    }
    let message = format!(
        "the database pool has {connections} connections at most; a store needs at least {MIN_CONNECTIONS}"
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}

/// Without the source, which may contain the password.
fn invalid_url(_: sqlx::Error) -> Error {
    let message = "the database URL is not valid; it has the form postgres://user@host:5432/name";
    Error::new(ErrorKind::InvalidInput, message)
}

impl From<&str> for Postgres {
    fn from(url: &str) -> Self {
        Self::from(url.to_owned())
    }
}

impl From<String> for Postgres {
    fn from(url: String) -> Self {
        Self::new(Source::Url(url))
    }
}

impl From<PgConnectOptions> for Postgres {
    fn from(options: PgConnectOptions) -> Self {
        Self::new(Source::Options(Box::new(options)))
    }
}

impl From<PgPool> for Postgres {
    fn from(pool: PgPool) -> Self {
        Self::new(Source::Pool(pool))
    }
}

impl fmt::Debug for Postgres {
    // The address contains the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("max_connections", &self.max_connections)
            .field("prepared_statements", &self.prepared_statements)
            .finish_non_exhaustive()
    }
}
