//! The SQLite engine. The queries of each subject are implemented beside their SQL.

use std::{path::Path, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;

use super::{migrate, read_pool::ReadPool, writer::Writer};
use crate::{error::Result, store::db::Database};

/// How long a connection waits for a lock of another process.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Deadline of a query that is not an index lookup, including its wait for a connection.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// A [`Database`] in one SQLite file with a write-ahead log.
///
/// Only one process at a time may have it open: a second writer would wait for the first at every commit.
#[derive(Debug)]
pub(crate) struct SqliteDatabase {
    options: SqliteConnectOptions,
    /// Serves the ownership query, single rows and delivery, all of them index lookups (promise R11).
    pub(super) checks: ReadPool,
    /// Serves every other query, within a deadline.
    pub(super) queries: ReadPool,
    pub(super) writer: Writer,
}

impl SqliteDatabase {
    /// Opens the database in this file, creating or migrating it if necessary. The writer task runs on the
    /// current runtime.
    ///
    /// # Errors
    ///
    /// - [`Unsupported`](crate::ErrorKind::Unsupported) if a newer version of this crate wrote the file.
    /// - [`InvalidInput`](crate::ErrorKind::InvalidInput) if another program wrote the file.
    /// - Those of [`Database`].
    pub(crate) async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(Self::options(path.as_ref(), BUSY_TIMEOUT)).await
    }

    pub(crate) fn options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
        migrate::options(path, busy_timeout)
    }

    pub(crate) async fn open_with(options: SqliteConnectOptions) -> Result<Self> {
        migrate::prepare(&options).await?;
        Ok(Self {
            checks: ReadPool::new(options.clone(), None),
            queries: ReadPool::new(options.clone(), Some(QUERY_TIMEOUT)),
            writer: Writer::spawn(options.clone()),
            options,
        })
    }
}

impl Database for SqliteDatabase {
    fn check(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(migrate::check(&self.options))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.writer.close().await?;
            self.checks.close().await?;
            self.queries.close().await
        })
    }
}
