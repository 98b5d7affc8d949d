//! Read connections, each lent to one query at a time.

use std::fmt;

use parking_lot::Mutex;
use sqlx::{
    Connection as _, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{error, migrate};
use crate::error::Result;

/// Number of read connections. A query takes microseconds; more connections would only be more threads.
const CONNECTIONS: u32 = 4;

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Pool of read connections.
///
/// This is not sqlx's pool, because that pings every connection on release, which takes as long as a query.
pub(super) struct ReadPool {
    options: SqliteConnectOptions,
    permits: Semaphore,
    // Opened on demand, so there may be fewer connections than permits.
    idle: Mutex<Vec<SqliteConnection>>,
}

/// A connection on loan. Returns to the pool when dropped, unless it failed.
struct PooledConnection<'a> {
    pool: &'a ReadPool,
    conn: Option<SqliteConnection>,
    _permit: SemaphorePermit<'a>,
}

impl ReadPool {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self { options, permits: Semaphore::new(CONNECTIONS as usize), idle: Mutex::default() }
    }

    /// Runs a statement that returns exactly one row.
    pub(super) async fn one(&self, statement: Statement<'_>) -> Result<SqliteRow> {
        let row = self.optional(statement).await?;
        row.ok_or_else(|| error::damaged("the query returned no row"))
    }

    /// Runs a statement that returns at most one row.
    pub(super) async fn optional(&self, statement: Statement<'_>) -> Result<Option<SqliteRow>> {
        let mut pooled = self.acquire().await?;
        let row = statement.fetch_optional(pooled.conn().await?).await;
        pooled.check(row)
    }

    /// Runs a statement that returns any number of rows.
    pub(super) async fn all(&self, statement: Statement<'_>) -> Result<Vec<SqliteRow>> {
        let mut pooled = self.acquire().await?;
        let rows = statement.fetch_all(pooled.conn().await?).await;
        pooled.check(rows)
    }

    async fn acquire(&self) -> Result<PooledConnection<'_>> {
        let permit = self.permits.acquire().await.map_err(|_| error::closed())?;
        Ok(PooledConnection { pool: self, conn: self.idle.lock().pop(), _permit: permit })
    }

    /// Waits for running queries and closes all connections.
    pub(super) async fn close(&self) -> Result<()> {
        let Ok(_all) = self.permits.acquire_many(CONNECTIONS).await else {
            return Ok(()); // closed before
        };
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for conn in idle {
            conn.close().await.map_err(error::database)?;
        }
        Ok(())
    }
}

impl PooledConnection<'_> {
    async fn conn(&mut self) -> Result<&mut SqliteConnection> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => migrate::reader(&self.pool.options).await?,
        };
        Ok(self.conn.insert(conn))
    }

    /// Discards the connection after a failure, so that the next query opens a new one.
    fn check<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T> {
        if result.is_err() {
            self.conn = None;
        }
        result.map_err(error::database)
    }
}

impl Drop for PooledConnection<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.idle.lock().push(conn);
        }
    }
}

impl fmt::Debug for ReadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadPool").field("idle", &self.idle.lock().len()).finish_non_exhaustive()
    }
}
