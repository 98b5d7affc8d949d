//! Creates, migrates and verifies the database file.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqlSafeStr as _, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    query,
    sqlite::SqliteConnectOptions,
};

use super::error;
use crate::error::Result;

/// "tmed", as the migrations set it.
const APPLICATION: i64 = 0x746d_6564;

const MIGRATIONS: [(&str, &str); 4] = [
    ("media", include_str!("migrations/0001_media.sql")),
    ("search", include_str!("migrations/0002_search.sql")),
    ("contents", include_str!("migrations/0003_contents.sql")),
    ("failure reason", include_str!("migrations/0004_failure_reason.sql")),
];

/// The schema version of this crate: the number of the last migration.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Options of every connection.
pub(super) fn options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy_timeout)
        .thread_name(|number| format!("media-db-{number}"))
        // In KiB: the upper levels of every index over millions of rows.
        .pragma("cache_size", "-4096")
        // Truncates the write-ahead log after a burst of writes.
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging()
}

/// Creates a missing database, and migrates an older one.
pub(super) async fn prepare(options: &SqliteConnectOptions) -> Result<()> {
    let mut conn =
        options.clone().create_if_missing(true).connect().await.map_err(error::database)?;
    // The file must not change before it is known to be a database of this crate.
    let version = identify(&mut conn, options.get_filename()).await?;
    enable_wal(&mut conn).await.map_err(error::database)?;
    if version < VERSION {
        migrate(&mut conn).await?;
    }
    conn.close().await.map_err(error::database)
}

/// Returns the schema version; 0 for an empty database.
async fn identify(conn: &mut SqliteConnection, path: &Path) -> Result<i64> {
    let row = query(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) AS objects
         FROM pragma_application_id, pragma_user_version",
    )
    .fetch_one(conn)
    .await
    .map_err(error::database)?;
    let number = |name| row.try_get::<i64, _>(name).map_err(error::database);
    match (number("application_id")?, number("user_version")?, number("objects")?) {
        (0, 0, 0) => Ok(0),
        (APPLICATION, found, _) if found > VERSION => Err(error::newer(path, found, VERSION)),
        (APPLICATION, found, _) => Ok(found),
        _ => Err(error::foreign(path)),
    }
}

/// Enables the write-ahead log, so that readers and the writer do not block each other.
async fn enable_wal(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mode: String = query("PRAGMA journal_mode = WAL").fetch_one(conn).await?.try_get(0)?;
    if mode == "wal" {
        return Ok(());
    }
    Err(sqlx::Error::Configuration("the file system does not support a write-ahead log".into()))
}

/// Runs all missing migrations in one transaction, because another process may be doing the same.
async fn migrate(conn: &mut SqliteConnection) -> Result<()> {
    let migrations = MIGRATIONS.iter().zip(1..).map(|((name, sql), number)| {
        let sql = sql.into_sql_str();
        Migration::new(number, (*name).into(), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await.map_err(error::database)?;
    migrator.run_direct(None, &mut *transaction, false).await.map_err(error::migration)?;
    transaction.commit().await.map_err(error::database)
}

/// Opens a read-only connection.
pub(super) async fn reader(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    options.clone().pragma("query_only", "ON").connect().await.map_err(error::database)
}

/// Verifies pages, references, contents and totals. Reads the whole database.
pub(super) async fn check(options: &SqliteConnectOptions) -> Result<()> {
    let mut conn = reader(options).await?;
    for (what, sql) in [
        ("pages", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        ("references", "SELECT \"table\" FROM pragma_foreign_key_check"),
        (
            "owner totals",
            "SELECT 'count' FROM owners LEFT JOIN
                 (SELECT owner, count(*) AS count, sum(size) AS bytes, sum(status = 'ready') AS ready
                  FROM media GROUP BY owner) AS real
                 ON real.owner = owners.number
             WHERE owners.count <> coalesce(real.count, 0) OR owners.bytes <> coalesce(real.bytes, 0)
                 OR owners.ready <> coalesce(real.ready, 0)",
        ),
        (
            "contents",
            "SELECT 'count of references' FROM contents LEFT JOIN
                 (SELECT hash, count(*) AS refs FROM media GROUP BY hash) AS real
                 ON real.hash = contents.hash
             WHERE contents.refs <> coalesce(real.refs, 0)
             UNION ALL
             SELECT 'media without content' FROM media WHERE NOT EXISTS (
                 SELECT 1 FROM contents
                 WHERE contents.hash = media.hash AND contents.generation = media.generation
             )
             UNION ALL
             SELECT 'dead content' FROM contents JOIN dead USING (hash, generation)",
        ),
        (
            "rendition total",
            "SELECT 'sum' FROM totals
             WHERE rendition_bytes <> (SELECT coalesce(sum(size), 0) FROM renditions)",
        ),
    ] {
        let found = query(sql).fetch_optional(&mut conn).await.map_err(error::database)?;
        if let Some(row) = found {
            let first: String = row.try_get(0).map_err(error::database)?;
            return Err(error::damaged(format!("inconsistent {what}: {first}")));
        }
    }
    conn.close().await.map_err(error::database)
}
