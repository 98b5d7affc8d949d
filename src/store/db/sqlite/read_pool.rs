//! Read connections, each lent to one query at a time.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sqlx::{
    Connection as _, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{error, migrate};
use crate::error::{Error, Result};

/// Number of connections of a pool. An index lookup takes microseconds; more connections would only be more
/// threads.
const CONNECTIONS: u32 = 4;

/// Maximum number of queries that wait for a connection of a pool with a deadline.
const MAX_WAITING: usize = 256;

/// Number of SQLite's virtual machine instructions between two looks at the clock, some 100 µs.
const INSTRUCTIONS: i32 = 10_000;

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Pool of read connections.
///
/// With a deadline, a query is interrupted at it, and the number of waiting queries is bounded.
///
/// This is not sqlx's pool, because that pings every connection on release, which takes as long as a query.
pub(super) struct ReadPool {
    options: SqliteConnectOptions,
    timeout: Option<Duration>,
    permits: Semaphore,
    waiting: Semaphore,
    // Opened on demand, so there may be fewer connections than permits.
    idle: Mutex<Vec<ReadConnection>>,
}

struct ReadConnection {
    sqlite: SqliteConnection,
    deadline: Arc<Deadline>,
}

/// The time until which a connection may work, in milliseconds since `base`.
struct Deadline {
    base: Instant,
    millis: AtomicU64,
}

impl Deadline {
    fn set(&self, until: Option<Instant>) {
        let millis = until.map_or(u64::MAX, |until| {
            until.saturating_duration_since(self.base).as_millis() as u64
        });
        self.millis.store(millis, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.base.elapsed().as_millis() as u64 >= self.millis.load(Ordering::Relaxed)
    }
}

/// A connection on loan. Returns to the pool after a successful query; otherwise it is closed, and what it
/// still executes is interrupted.
struct PooledConnection<'a> {
    pool: &'a ReadPool,
    conn: Option<ReadConnection>,
    _permit: SemaphorePermit<'a>,
}

impl ReadPool {
    pub(super) fn new(options: SqliteConnectOptions, timeout: Option<Duration>) -> Self {
        Self {
            options,
            timeout,
            permits: Semaphore::new(CONNECTIONS as usize),
            waiting: Semaphore::new(MAX_WAITING),
            idle: Mutex::default(),
        }
    }

    /// Runs a statement that returns exactly one row.
    pub(super) async fn one(&self, statement: Statement<'_>) -> Result<SqliteRow> {
        let row = self.optional(statement).await?;
        row.ok_or_else(|| error::damaged("the query returned no row"))
    }

    /// Runs a statement that returns at most one row.
    pub(super) async fn optional(&self, statement: Statement<'_>) -> Result<Option<SqliteRow>> {
        let mut pooled = self.acquire().await?;
        let row = statement.fetch_optional(pooled.sqlite()).await;
        pooled.release(row)
    }

    /// Runs a statement that returns any number of rows.
    pub(super) async fn all(&self, statement: Statement<'_>) -> Result<Vec<SqliteRow>> {
        let mut pooled = self.acquire().await?;
        let rows = statement.fetch_all(pooled.sqlite()).await;
        pooled.release(rows)
    }

    async fn acquire(&self) -> Result<PooledConnection<'_>> {
        let until = self.timeout.map(|timeout| Instant::now() + timeout);
        let permit = match self.timeout {
            None => self.permits.acquire().await,
            Some(timeout) => {
                let _place = self.waiting.try_acquire().map_err(|_| error::busy())?;
                let permit = tokio::time::timeout(timeout, self.permits.acquire()).await;
                permit.map_err(|_| Error::timeout("waiting for the database", timeout))?
            }
        };
        let permit = permit.map_err(|_| error::closed())?;
        let conn = self.idle.lock().pop();
        let conn = match conn {
            Some(conn) => conn,
            None => self.connect().await?,
        };
        conn.deadline.set(until);
        Ok(PooledConnection { pool: self, conn: Some(conn), _permit: permit })
    }

    async fn connect(&self) -> Result<ReadConnection> {
        let mut sqlite = migrate::reader(&self.options).await?;
        let deadline =
            Arc::new(Deadline { base: Instant::now(), millis: AtomicU64::new(u64::MAX) });
        let seen = Arc::clone(&deadline);
        let mut handle = sqlite.lock_handle().await.map_err(error::database)?;
        handle.set_progress_handler(INSTRUCTIONS, move || !seen.is_over());
        drop(handle);
        Ok(ReadConnection { sqlite, deadline })
    }

    /// Waits for running queries and closes all connections.
    pub(super) async fn close(&self) -> Result<()> {
        let Ok(_all) = self.permits.acquire_many(CONNECTIONS).await else {
            return Ok(()); // closed before
        };
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for conn in idle {
            conn.sqlite.close().await.map_err(error::database)?;
        }
        Ok(())
    }
}

impl PooledConnection<'_> {
    fn sqlite(&mut self) -> &mut SqliteConnection {
        &mut self.conn.as_mut().expect("a connection on loan").sqlite
    }

    /// Returns the connection to the pool, unless the query failed.
    fn release<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T> {
        if result.is_ok()
            && let Some(conn) = self.conn.take()
        {
            self.pool.idle.lock().push(conn);
        }
        result.map_err(error::database)
    }
}

impl Drop for PooledConnection<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            // The caller was dropped, or the query failed.
            conn.deadline.set(Some(conn.deadline.base));
        }
    }
}

impl fmt::Debug for ReadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadPool").field("idle", &self.idle.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use sqlx::query;

    use super::*;
    use crate::{
        error::ErrorKind,
        id::{ContentHash, MediaId},
        media::SearchOptions,
        owner::{Owner, Scopes},
        ownership::OwnershipQuestion,
        store::db::{
            ListQueries as _, OwnershipQueries as _, RenditionQueries as _, SqliteDatabase,
        },
    };

    const ENDLESS: &str = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
         SELECT count(*) FROM n";

    #[tokio::test(flavor = "multi_thread")]
    async fn r11_checks_are_answered_while_all_query_slots_are_busy() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = SqliteDatabase::open(folder.path().join("db")).await.expect("a database");
        let endless = join_all((0..CONNECTIONS).map(|_| db.queries.one(query(ENDLESS))));
        let mut endless = Box::pin(endless);
        while db.queries.permits.available_permits() > 0 {
            assert!(futures_util::poll!(&mut endless).is_pending());
            tokio::task::yield_now().await;
        }
        let (ana, id) = (Owner::new("ana").expect("a name"), MediaId::random());
        let options = SearchOptions::new();
        let mut search = Box::pin(db.search(&ana, &options));
        assert!(futures_util::poll!(&mut search).is_pending(), "a slot is free");

        let (any, ids) = (Scopes::any(), std::slice::from_ref(&id));
        let question = OwnershipQuestion::new(&ana, &any, ids);
        assert_eq!(db.owned(&question).await.expect("an answer"), []);
        assert_eq!(db.get(&id).await.expect("an answer"), None);
        assert_eq!(db.rendition(&id, "thumbnail").await.expect("an answer"), None);
        let unknown = ContentHash::of(b"unknown");
        assert_eq!(db.find_by_hash(unknown).await.expect("an answer"), None);
        assert!(futures_util::poll!(&mut endless).is_pending(), "the queries have ended");

        // Dropped queries are interrupted and free their slots.
        drop(endless);
        search.await.expect("a page");
    }

    #[tokio::test]
    async fn r11_a_query_ends_at_its_deadline() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db");
        let _db = SqliteDatabase::open(&path).await.expect("a database");
        let options = SqliteDatabase::options(&path, Duration::from_secs(5));
        let pool = ReadPool::new(options, Some(Duration::from_millis(50)));
        let queries = (0..=CONNECTIONS).map(|_| pool.one(query(ENDLESS)));
        for ended in join_all(queries).await {
            assert_eq!(ended.expect_err("it has no end").kind(), ErrorKind::Timeout);
        }
        pool.one(query("SELECT 1")).await.expect("a free slot");
    }

    #[tokio::test]
    async fn r11_waiting_queries_are_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db");
        let _db = SqliteDatabase::open(&path).await.expect("a database");
        let options = SqliteDatabase::options(&path, Duration::from_secs(5));
        let pool = ReadPool::new(options, Some(Duration::from_secs(60)));
        let _busy = pool.permits.acquire_many(CONNECTIONS).await.expect("all slots");
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(pool.one(query("SELECT 1")))).collect();
        for query in &mut waiting {
            assert!(futures_util::poll!(query).is_pending());
        }
        let refused = pool.one(query("SELECT 1")).await.expect_err("one too many");
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
    }
}
