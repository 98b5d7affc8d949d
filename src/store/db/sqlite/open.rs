//! How the database is found, made, and brought up to date.

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

const MIGRATIONS: [(&str, &str); 2] = [
    ("media", include_str!("migrations/0001_media.sql")),
    ("search", include_str!("migrations/0002_search.sql")),
];

/// The last migration.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// How every connection is opened.
pub(super) fn options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy_timeout)
        .thread_name(|number| format!("media-db-{number}"))
        // In KiB. Enough for the upper levels of every index of millions of rows.
        .pragma("cache_size", "-4096")
        // What a burst of writing left of the log is given back.
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging()
}

/// Makes the database where there is none, and brings an older one up to date.
pub(super) async fn prepare(options: &SqliteConnectOptions) -> Result<()> {
    let mut conn =
        options.clone().create_if_missing(true).connect().await.map_err(error::database)?;
    // Nothing is changed before it is known whose database this is.
    let version = identify(&mut conn, options.get_filename()).await?;
    keep_log(&mut conn).await.map_err(error::database)?;
    if version < VERSION {
        migrate(&mut conn).await?;
    }
    conn.close().await.map_err(error::database)
}

/// Returns the version of the schema, 0 for a database with nothing in it.
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

/// Switches the write-ahead log on, so that readers and the writer do not wait for each other.
async fn keep_log(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mode: String = query("PRAGMA journal_mode = WAL").fetch_one(conn).await?.try_get(0)?;
    if mode == "wal" {
        return Ok(());
    }
    Err(sqlx::Error::Configuration("a write-ahead log cannot be kept on this file system".into()))
}

/// Runs all that is missing, or nothing: another process may be doing the same.
async fn migrate(conn: &mut SqliteConnection) -> Result<()> {
    let migrations = MIGRATIONS.iter().zip(1..).map(|((name, sql), number)| {
        let sql = sql.into_sql_str();
        Migration::new(number, (*name).into(), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    let mut all = conn.begin_with("BEGIN IMMEDIATE").await.map_err(error::database)?;
    migrator.run_direct(None, &mut *all, false).await.map_err(error::migration)?;
    all.commit().await.map_err(error::database)
}

/// Opens a connection that only reads.
pub(super) async fn reader(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    options.clone().pragma("query_only", "ON").connect().await.map_err(error::database)
}

/// Reads the whole database.
pub(super) async fn check(options: &SqliteConnectOptions) -> Result<()> {
    let mut conn = reader(options).await?;
    for (what, sql) in [
        ("its pages", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        ("its references", "SELECT \"table\" FROM pragma_foreign_key_check"),
        (
            "its counts",
            "SELECT 'count' FROM owners LEFT JOIN
                 (SELECT owner, count(*) AS count, sum(size) AS bytes FROM media GROUP BY owner) AS real
                 ON real.owner = owners.number
             WHERE owners.count <> coalesce(real.count, 0) OR owners.bytes <> coalesce(real.bytes, 0)",
        ),
        (
            "its sum of renditions",
            "SELECT 'sum' FROM totals
             WHERE rendition_bytes <> (SELECT coalesce(sum(size), 0) FROM renditions)",
        ),
    ] {
        let found = query(sql).fetch_optional(&mut conn).await.map_err(error::database)?;
        if let Some(row) = found {
            let first: String = row.try_get(0).map_err(error::database)?;
            return Err(error::damaged(format!("{what} do not fit together: {first}")));
        }
    }
    conn.close().await.map_err(error::database)
}
