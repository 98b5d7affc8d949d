//! Creates, migrates and verifies the tables.

use sqlx::{PgConnection, Row as _, query, raw_sql};

use super::{
    error::{self, DbError, damaged},
    pool::Pool,
};
use crate::error::{Error, ErrorKind, Result};

/// One step of the schema. Steps expand first and contract in a later version of this crate, so that nodes of
/// the previous version keep working while new ones start (promise M4).
struct Migration {
    sql: &'static str,
    /// The oldest schema version whose statements still work after this step.
    compatible_with: i64,
}

const MIGRATIONS: [Migration; 1] =
    [Migration { sql: include_str!("migrations/0001_media.sql"), compatible_with: 1 }];

/// The schema version of this crate: the number of the last migration.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Excludes other migrations of this database until the end of the transaction. The key is "tmed".
const LOCK: &str = "
    SET LOCAL lock_timeout = '60s';
    SET LOCAL statement_timeout = '60s';
    SELECT pg_advisory_xact_lock(x'746d6564'::bigint);
";

/// From the catalogs themselves: `to_regclass` may answer from a cache that is older than the lock.
const STATE: &str = "
    SELECT current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby,
        EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'tower_media') AS has_schema,
        EXISTS (
            SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = 'tower_media' AND relname = 'schema_version'
        ) AS has_version
";

/// Creates missing tables, and migrates older ones. Any number of processes may do so at once.
pub(super) async fn prepare(pool: &Pool) -> Result<()> {
    if pool.read(async |conn| version(conn).await).await? == VERSION {
        return Ok(());
    }
    pool.migrate(async |conn| {
        raw_sql(LOCK).execute(&mut *conn).await?;
        // Another process may have migrated while this one waited.
        let found = version(conn).await?;
        for migration in MIGRATIONS.iter().skip(found as usize) {
            raw_sql(migration.sql).execute(&mut *conn).await?;
        }
        let last = MIGRATIONS.last().expect("there are migrations");
        query("UPDATE tower_media.schema_version SET version = $1, compatible_with = $2 WHERE version < $1")
            .bind(VERSION)
            .bind(last.compatible_with)
            .persistent(false)
            .execute(conn)
            .await?;
        Ok(())
    })
    .await
}

/// Returns the schema version of the database, at most [`VERSION`]; 0 without tables.
async fn version(conn: &mut PgConnection) -> Result<i64, DbError> {
    let state = query(STATE).persistent(false).fetch_one(&mut *conn).await?;
    if state.try_get("standby")? {
        return Err(Error::new(ErrorKind::Unavailable, error::STANDBY).into());
    }
    let encoding: &str = state.try_get("encoding")?;
    if encoding != "UTF8" {
        return Err(error::wrong_encoding(encoding).into());
    }
    match (state.try_get("has_schema")?, state.try_get("has_version")?) {
        (false, _) => return Ok(0),
        (true, false) => return Err(error::foreign().into()),
        (true, true) => {}
    }
    let row = query("SELECT version, compatible_with FROM tower_media.schema_version")
        .persistent(false)
        .fetch_one(conn)
        .await?;
    let found: i64 = row.try_get("version")?;
    if row.try_get::<i64, _>("compatible_with")? > VERSION {
        return Err(error::newer(found, VERSION).into());
    }
    Ok(found.min(VERSION))
}

/// Verifies references, contents and totals. Reads the whole database.
pub(super) async fn check(pool: &Pool) -> Result<()> {
    pool.read_all(async |conn| {
        for (what, sql) in CHECKS {
            let found = query(sql).persistent(false).fetch_optional(&mut *conn).await?;
            if let Some(row) = found {
                let first: &str = row.try_get(0)?;
                return Err(damaged(format!("inconsistent {what}: {first}")).into());
            }
        }
        Ok(())
    })
    .await
}

const CHECKS: [(&str, &str); 4] = [
    (
        "owner totals",
        "SELECT 'count' FROM tower_media.owners LEFT JOIN (
             SELECT owner, count(*) AS count, sum(size) AS bytes,
                 count(*) FILTER (WHERE status = 'ready') AS ready
             FROM tower_media.media GROUP BY owner
         ) AS real ON real.owner = owners.number
         WHERE owners.count <> coalesce(real.count, 0) OR owners.bytes <> coalesce(real.bytes, 0)
             OR owners.ready <> coalesce(real.ready, 0)
         LIMIT 1",
    ),
    (
        "contents",
        "SELECT 'count of references' FROM tower_media.contents LEFT JOIN (
             SELECT hash, count(*) AS refs FROM tower_media.media GROUP BY hash
         ) AS real ON real.hash = contents.hash
         WHERE contents.refs <> coalesce(real.refs, 0)
         UNION ALL
         SELECT 'media without content' FROM tower_media.media WHERE NOT EXISTS (
             SELECT 1 FROM tower_media.contents
             WHERE contents.hash = media.hash AND contents.generation = media.generation
         )
         UNION ALL
         SELECT 'dead content' FROM tower_media.contents
         JOIN tower_media.dead USING (hash, generation)
         LIMIT 1",
    ),
    (
        "scopes",
        "SELECT 'owner or arrival' FROM tower_media.refs
         JOIN tower_media.media ON media.id = refs.media
         WHERE refs.owner <> media.owner OR refs.arrival <> media.arrival
         LIMIT 1",
    ),
    (
        "rendition total",
        "SELECT 'sum' WHERE (SELECT sum(rendition_bytes) FROM tower_media.totals)
             <> (SELECT coalesce(sum(size), 0) FROM tower_media.renditions)",
    ),
];
