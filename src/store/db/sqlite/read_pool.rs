//! Connections that read, lent to one caller at a time.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sqlx::{
    Connection as _, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{error, open};
use crate::error::Result;

/// How many read at once. A question takes microseconds; more would only be more threads.
const CONNECTIONS: u32 = 4;

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// The connections that read.
///
/// Not sqlx's own pool: that asks every connection that comes back whether it is well, which takes as
/// long as the question did.
pub(super) struct Readers {
    options: SqliteConnectOptions,
    permits: Semaphore,
    // Opened when needed, so there may be fewer than permits.
    idle: Mutex<Vec<SqliteConnection>>,
}

/// A connection on loan. It comes back when dropped, unless it failed.
struct Reader<'a> {
    readers: &'a Readers,
    conn: Option<SqliteConnection>,
    _permit: SemaphorePermit<'a>,
}

impl Readers {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        let permits = Semaphore::new(CONNECTIONS as usize);
        Self { options, permits, idle: Mutex::default() }
    }

    /// Runs a statement that gives at most one row.
    pub(super) async fn one(&self, statement: Statement<'_>) -> Result<Option<SqliteRow>> {
        let mut reader = self.take().await?;
        let row = statement.fetch_optional(reader.conn().await?).await;
        reader.done(row)
    }

    /// Runs a statement that gives any number of rows.
    pub(super) async fn all(&self, statement: Statement<'_>) -> Result<Vec<SqliteRow>> {
        let mut reader = self.take().await?;
        let rows = statement.fetch_all(reader.conn().await?).await;
        reader.done(rows)
    }

    async fn take(&self) -> Result<Reader<'_>> {
        let permit = self.permits.acquire().await.map_err(|_| error::closed())?;
        Ok(Reader { readers: self, conn: self.idle().pop(), _permit: permit })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        // Pushing and popping leave it whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for those who read and closes all connections.
    pub(super) async fn close(&self) -> Result<()> {
        let Ok(_all) = self.permits.acquire_many(CONNECTIONS).await else {
            return Ok(()); // closed before
        };
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for conn in idle {
            conn.close().await.map_err(error::database)?;
        }
        Ok(())
    }
}

impl Reader<'_> {
    async fn conn(&mut self) -> Result<&mut SqliteConnection> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => open::reader(&self.readers.options).await?,
        };
        Ok(self.conn.insert(conn))
    }

    /// Lets go of the connection after a failure: the next caller begins with a new one.
    fn done<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T> {
        if result.is_err() {
            self.conn = None;
        }
        result.map_err(error::database)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.readers.idle().push(conn);
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("idle", &self.idle().len()).finish_non_exhaustive()
    }
}
