//! Transactions and lookups on a pool of connections: bounded, with deadlines, and retried where that is safe.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres as Sqlx,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    query::Query,
    raw_sql,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    config::{CONNECT_TIMEOUT, Postgres},
    error::{self, DbError},
};
use crate::error::{Error, Result};

/// Deadline of a lookup or a transaction, including its waits and retries.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of callers that wait for a connection, for each kind of work.
const MAX_WAITING: usize = 256;

/// Number of attempts at a transaction that loses its connection or conflicts with another one.
const ATTEMPTS: u32 = 3;

/// Begins a transaction whose statements see one snapshot. Settings are local to the transaction, because a
/// pooler may give the connection to another client after it.
const READ: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
";

/// Begins a transaction that changes rows. The last setting frees the locks of a process that has stopped.
const WRITE: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL statement_timeout = '5s';
    SET LOCAL lock_timeout = '4s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
";

/// Begins a transaction that reads everything, such as a verification.
pub(super) const READ_ALL: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = '10s';
";

pub(super) type Statement = Query<'static, Sqlx, PgArguments>;

/// If a transaction may be applied twice. A connection that is lost during the commit leaves open whether it
/// was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Applied twice, it has the same result.
    Harmless,
    /// Applied twice, it reports another result, so the caller gets an error instead.
    Visible,
}

/// The connections of this process, and the share of each kind of work in them (promise R11).
pub(super) struct Pool {
    connections: PgPool,
    is_own: bool,
    prepared: AtomicBool,
    /// Ownership queries and single rows, all of them index lookups.
    lookups: Lane,
    reads: Lane,
    writes: Lane,
}

/// Bounds the number of callers at work and in wait.
struct Lane {
    running: Semaphore,
    waiting: Semaphore,
    size: u32,
}

/// A connection on loan. Closed when dropped, unless it is known to be idle.
struct Lease<'p> {
    conn: PoolConnection<Sqlx>,
    is_idle: bool,
    pool: &'p Pool,
}

/// A failed attempt, and whether it failed during its commit.
struct Failed {
    error: DbError,
    committing: bool,
}

impl Pool {
    pub(super) fn open(config: &Postgres) -> Result<Self> {
        let (connections, is_own) = config.pool()?;
        let size = connections.options().get_max_connections();
        Ok(Self {
            connections,
            is_own,
            prepared: AtomicBool::new(config.is_prepared()),
            lookups: Lane::new(size),
            reads: Lane::new(size / 4),
            writes: Lane::new(size / 2),
        })
    }

    /// Returns at most one row, which is found by an index. In one round trip, if statements are prepared.
    pub(super) async fn lookup(
        &self,
        statement: impl Fn() -> Statement + Sync,
    ) -> Result<Option<PgRow>> {
        let lookup = async {
            let _permit = self.lookups.enter().await?;
            let mut attempt = 0;
            loop {
                let prepared = self.prepared.load(Ordering::Relaxed);
                let found = if prepared {
                    self.lookup_prepared(attempt, &statement).await
                } else {
                    self.lookup_unprepared(attempt, &statement).await
                };
                match found {
                    Ok(row) => return Ok(row),
                    Err(failed) if prepared && failed.error.is_unprepared() => {
                        self.stop_preparing()
                    }
                    Err(failed) => {
                        attempt = next_attempt(attempt, failed, Repeat::Harmless).await?
                    }
                }
            }
        };
        within(TIMEOUT, lookup).await
    }

    /// Runs a transaction that reads one snapshot.
    pub(super) async fn read<T>(
        &self,
        work: impl AsyncFn(&mut PgConnection) -> Result<T, DbError>,
    ) -> Result<T> {
        within(TIMEOUT, self.transaction(&self.reads, READ, Repeat::Harmless, work)).await
    }

    /// Runs a transaction that reads one snapshot, without a deadline.
    pub(super) async fn read_all<T>(
        &self,
        work: impl AsyncFn(&mut PgConnection) -> Result<T, DbError>,
    ) -> Result<T> {
        self.transaction(&self.reads, READ_ALL, Repeat::Harmless, work).await
    }

    /// Runs a transaction that changes rows. They are durable once this returns.
    pub(super) async fn write<T>(
        &self,
        repeat: Repeat,
        work: impl AsyncFn(&mut PgConnection) -> Result<T, DbError>,
    ) -> Result<T> {
        within(TIMEOUT, self.transaction(&self.writes, WRITE, repeat, work)).await
    }

    /// Runs a transaction that changes tables. It waits for other processes that do the same.
    pub(super) async fn migrate(
        &self,
        work: impl AsyncFn(&mut PgConnection) -> Result<(), DbError>,
    ) -> Result<()> {
        self.transaction(&self.writes, WRITE, Repeat::Harmless, work).await
    }

    /// Waits for running work and closes the connections.
    pub(super) async fn close(&self) {
        for lane in [&self.lookups, &self.reads, &self.writes] {
            lane.close().await;
        }
        if self.is_own {
            self.connections.close().await;
        }
    }

    async fn transaction<T>(
        &self,
        lane: &Lane,
        begin: &'static str,
        repeat: Repeat,
        work: impl AsyncFn(&mut PgConnection) -> Result<T, DbError>,
    ) -> Result<T> {
        let _permit = lane.enter().await?;
        let mut attempt = 0;
        loop {
            match self.attempt(begin, attempt, &work).await {
                Ok(done) => return Ok(done),
                Err(failed) => attempt = next_attempt(attempt, failed, repeat).await?,
            }
        }
    }

    async fn attempt<T>(
        &self,
        begin: &'static str,
        attempt: u32,
        work: &impl AsyncFn(&mut PgConnection) -> Result<T, DbError>,
    ) -> Result<T, Failed> {
        let mut lease = self.begin(begin, attempt).await?;
        let result = work(&mut lease.conn).await;
        lease.end(result).await
    }

    async fn begin(&self, begin: &'static str, attempt: u32) -> Result<Lease<'_>, DbError> {
        let mut lease = self.acquire(attempt).await?;
        execute(&mut lease.conn, begin).await?;
        Ok(lease)
    }

    async fn lookup_prepared(
        &self,
        attempt: u32,
        statement: impl Fn() -> Statement,
    ) -> Result<Option<PgRow>, Failed> {
        let mut lease = self.acquire(attempt).await?;
        let found = statement().fetch_optional(&mut *lease.conn).await;
        lease.is_idle = found.is_ok();
        Ok(found?)
    }

    async fn lookup_unprepared(
        &self,
        attempt: u32,
        statement: impl Fn() -> Statement,
    ) -> Result<Option<PgRow>, Failed> {
        let mut lease = self.begin(READ, attempt).await?;
        let found = statement().persistent(false).fetch_optional(&mut *lease.conn).await;
        lease.end(found.map_err(DbError::from)).await
    }

    /// After a lost connection, the idle connections may be lost as well, so a retry tests them.
    async fn acquire(&self, attempt: u32) -> Result<Lease<'_>, DbError> {
        let acquire = async {
            loop {
                let conn = self.connections.acquire().await?;
                let mut lease = Lease { conn, is_idle: false, pool: self };
                // sqlx uses a statement that it has prepared, even with `persistent(false)`.
                let is_usable = self.prepared.load(Ordering::Relaxed)
                    || lease.conn.cached_statements_size() == 0;
                if is_usable && (attempt == 0 || lease.conn.ping().await.is_ok()) {
                    return Ok(lease);
                }
            }
        };
        let acquired = tokio::time::timeout(CONNECT_TIMEOUT, acquire).await;
        acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(DbError::from)
    }

    fn stop_preparing(&self) {
        if self.prepared.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "a connection pooler does not keep prepared statements, so checks take more round trips; \
                 set `Postgres::prepared_statements(false)`, or `max_prepared_statements` in PgBouncer"
            );
        }
    }
}

/// Decides about another attempt: its number, or the error of this one.
async fn next_attempt(attempt: u32, failed: Failed, repeat: Repeat) -> Result<u32> {
    let Failed { error, committing } = failed;
    let is_safe = !committing || repeat == Repeat::Harmless || error.is_conflict();
    if attempt + 1 < ATTEMPTS && is_safe && (error.is_lost() || error.is_conflict()) {
        tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
        return Ok(attempt + 1);
    }
    Err(error.into())
}

/// Fails work that takes longer. Its connection is closed then.
async fn within<T>(timeout: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(timeout, work).await;
    done.unwrap_or_else(|_| Err(Error::timeout("the database", timeout)))
}

async fn execute(conn: &mut PgConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    raw_sql(sql).execute(conn).await.map(drop)
}

impl Lane {
    fn new(size: u32) -> Self {
        Self { running: Semaphore::new(size as usize), waiting: Semaphore::new(MAX_WAITING), size }
    }

    async fn enter(&self) -> Result<SemaphorePermit<'_>> {
        if let Ok(permit) = self.running.try_acquire() {
            return Ok(permit);
        }
        let _place = self.waiting.try_acquire().map_err(|_| error::busy())?;
        self.running.acquire().await.map_err(|_| error::closed())
    }

    async fn close(&self) {
        if let Ok(_all) = self.running.acquire_many(self.size).await {
            self.running.close();
        }
    }
}

impl Lease<'_> {
    /// Commits the transaction, or rolls it back after a failure.
    async fn end<T>(mut self, result: Result<T, DbError>) -> Result<T, Failed> {
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = execute(&mut self.conn, end).await;
        self.is_idle = ended.is_ok();
        let done = result?;
        ended.map_err(|error| Failed { error: error.into(), committing: true })?;
        Ok(done)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // The caller was dropped in the middle of a statement, or the connection failed.
        if !self.is_idle && !self.pool.connections.is_closed() {
            self.conn.close_on_drop();
        }
    }
}

impl<E: Into<DbError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), committing: false }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("connections", &self.connections.size())
            .field("idle", &self.connections.num_idle())
            .field("prepared", &self.prepared)
            .finish_non_exhaustive()
    }
}
