//! The PostgreSQL engine. The queries of each subject are implemented beside their SQL.

use futures_util::future::BoxFuture;

use super::{config::Postgres, migrate, pool::Pool};
use crate::{error::Result, store::db::Database};

/// A [`Database`] in PostgreSQL. Any number of processes may have it open.
#[derive(Debug)]
pub(crate) struct PostgresDatabase {
    pub(super) pool: Pool,
}

impl PostgresDatabase {
    /// Connects, and creates or migrates the tables if necessary.
    ///
    /// # Errors
    ///
    /// - [`Unsupported`](crate::ErrorKind::Unsupported) if a newer version of this crate migrated the
    ///   database and this version cannot work with it.
    /// - [`InvalidInput`](crate::ErrorKind::InvalidInput) for an address that is not valid, too few
    ///   connections, another encoding than UTF-8, or a schema of another program.
    /// - Those of [`Database`].
    pub(crate) async fn open(config: &Postgres) -> Result<Self> {
        let pool = Pool::open(config)?;
        migrate::prepare(&pool).await?;
        Ok(Self { pool })
    }
}

impl Database for PostgresDatabase {
    fn check(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(migrate::check(&self.pool))
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.pool.close().await;
            Ok(())
        })
    }
}
