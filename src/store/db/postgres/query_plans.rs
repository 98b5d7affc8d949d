//! No query scans a table: its cost does not grow with the library (promise R11).

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgConnection, Row as _, postgres::PgConnectOptions, raw_sql,
};

use super::{blobs, listing, ownership, renditions, search, transfer, uploads};
use crate::store::db::tests::{Engine, TestDb};

/// Owners 1, 2 and 3 have 100, 10,000 and 100,000 media, and there are 5,000 other owners.
const GROW: &str = "
    INSERT INTO tower_media.owners (tenant, subject) SELECT '', 'owner ' || n FROM generate_series(1, 5000) n;
    INSERT INTO tower_media.contents (hash, generation, size, refs, since)
        SELECT sha256(n::text::bytea), n, 1000, CASE WHEN n > 110100 THEN 0 ELSE 1 END, n
        FROM generate_series(1, 120000) n;
    INSERT INTO tower_media.media (id, owner, arrival, hash, generation, size, mime_type, status, created_at)
        SELECT 'm' || n, CASE WHEN n <= 100 THEN 1 WHEN n <= 10100 THEN 2 ELSE 3 END, n,
            sha256(n::text::bytea), n, 1000 + n % 77, 'image/jpeg', 'ready', n
        FROM generate_series(1, 110100) n;
    INSERT INTO tower_media.refs SELECT id, 'me', owner, arrival FROM tower_media.media;
    INSERT INTO tower_media.dead SELECT sha256(n::text::bytea), -n, n FROM generate_series(1, 20000) n;
    INSERT INTO tower_media.renditions
        SELECT 'm' || n, 'k', 9, sha256('x'), 'image/webp', 1, 1, n FROM generate_series(1, 20000) n;
    INSERT INTO tower_media.removed SELECT 'gone' || n, n FROM generate_series(1, 20000) n;
    ANALYZE;
";

async fn grown() -> (TestDb, PgConnection) {
    let db = TestDb::new(Engine::Postgres).await;
    let url: PgConnectOptions = db.url.as_ref().expect("a URL").parse().expect("a URL");
    let mut conn = url.connect().await.expect("a connection");
    raw_sql(GROW).execute(&mut conn).await.expect("rows");
    (db, conn)
}

/// The steps of the plan with these parameters, or with any.
async fn plan(
    conn: &mut PgConnection,
    mode: &str,
    explain: &str,
    sql: &str,
    values: &str,
) -> Vec<String> {
    let prepare = format!("SET plan_cache_mode = force_{mode}_plan; PREPARE plan AS {sql}");
    raw_sql(AssertSqlSafe(prepare)).execute(&mut *conn).await.expect(sql);
    let execute = format!("EXPLAIN ({explain}) EXECUTE plan ({values})");
    let rows = raw_sql(AssertSqlSafe(execute)).fetch_all(&mut *conn).await.expect(sql);
    raw_sql("DEALLOCATE plan").execute(conn).await.expect("deallocated");
    rows.iter().map(|row| row.get::<&str, _>(0).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r11_every_query_on_postgres_uses_an_index() {
    let (_db, mut conn) = grown().await;
    let hash = "sha256('1')";
    let filters = "3, NULL, NULL, 0, 9000000000, false";
    let scoped = format!("{filters}, ARRAY['me']");
    let mut statements = vec![
        (ownership::OWNED, "'', 'owner 3', ARRAY['m20000', 'm20001']".to_owned()),
        (ownership::OWNED_IN_SCOPES, "'', 'owner 3', ARRAY['m20000'], ARRAY['me']".to_owned()),
        (ownership::EXPLAIN, "'', 'owner 3', ARRAY['m20000'], ARRAY['me']".to_owned()),
        (listing::GET, "'m20000'".to_owned()),
        (listing::FIND_BY_HASH, hash.to_owned()),
        (listing::OWNER, "'', 'owner 3'".to_owned()),
        (listing::NEWEST, "3, 50000, 51".to_owned()),
        (listing::NEWEST_IN_SCOPES, "3, 50000, 51, ARRAY['me', 'you']".to_owned()),
        (uploads::PROCESSING, "32".to_owned()),
        (uploads::LOCK_CURRENT, format!("{hash}, 1")),
        (uploads::EXISTING, format!("{hash}, 3")),
        (blobs::CLAIM, "0, 256".to_owned()),
        (blobs::DEAD, "0, 256".to_owned()),
        (blobs::IS_REFERENCED, format!("{hash}, 1")),
        (blobs::REFERENCED, format!("{hash}, 256")),
        (blobs::RECORD_STRAYS, format!("ARRAY[{hash}], ARRAY[1]")),
        (blobs::FORGET_DEAD, format!("ARRAY[{hash}], ARRAY[1]")),
        (renditions::FIND, "'m1', 'k'".to_owned()),
        (renditions::LEAST_RECENTLY_USED, "64".to_owned()),
        (renditions::REMOVED, "0, 256".to_owned()),
        (transfer::EXPORT, "'m2', 256".to_owned()),
        (transfer::SCOPES, "ARRAY['m2', 'm3']".to_owned()),
        (transfer::SAME, format!("'m2', {hash}, 3")),
        (super::delete::DELETE, "'m20000', 3".to_owned()),
        (super::delete::DELETE_BATCH, "3, 500".to_owned()),
    ];
    for (.., [page, page_in_scopes]) in search::PAGES {
        statements.push((page, format!("{filters}, 50, 100")));
        statements.push((page_in_scopes, format!("{scoped}, 50, 100")));
    }
    for (sql, values) in &statements {
        let steps = plan(&mut conn, "custom", "COSTS OFF", sql, values).await;
        // The search in scopes may read all rows of the owner, never those of others.
        let scan = steps.iter().find(|step| step.contains("Seq Scan"));
        assert_eq!(scan, None, "{sql}\n{steps:#?}");
    }
    // The prepared ones, with a plan for any parameters.
    for (sql, values) in [&statements[0], &statements[1], &statements[3], &statements[17]] {
        let steps = plan(&mut conn, "generic", "COSTS OFF", sql, values).await;
        let scan = steps.iter().find(|step| step.contains("Seq Scan"));
        assert_eq!(scan, None, "{sql}\n{steps:#?}");
    }
    // Pages are read in the order of an index.
    for (.., [page, _]) in search::PAGES {
        let steps =
            plan(&mut conn, "custom", "COSTS OFF", page, &format!("{filters}, 50, 100")).await;
        assert!(!steps.iter().any(|step| step.contains("Sort")), "{page}\n{steps:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r11_an_ownership_query_reads_as_much_of_any_library() {
    let (_db, mut conn) = grown().await;
    let mut read = Vec::new();
    for (owner, first) in [(1, 1), (2, 5_000), (3, 60_000)] {
        let ids: Vec<_> = (first..first + 16).map(|n| format!("'m{n}'")).collect();
        let values = format!("'', 'owner {owner}', ARRAY[{}], ARRAY['me']", ids.join(", "));
        let sql = ownership::OWNED_IN_SCOPES;
        let explain = "ANALYZE, BUFFERS, COSTS OFF, TIMING OFF";
        let steps = plan(&mut conn, "generic", explain, sql, &values).await;
        let buffers = steps.iter().find(|step| step.contains("Buffers: shared")).expect("a count");
        let numbers = buffers.split(['=', ' ']).filter_map(|word| word.parse::<u64>().ok());
        read.push(numbers.sum::<u64>());
    }
    assert!(read[2] * 2 <= read[0] * 3, "pages read: {read:?}");
}
