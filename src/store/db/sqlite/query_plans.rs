//! No query scans a table: its cost does not grow with the library.

use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection, query};

use super::{
    blobs, engine::BUSY_TIMEOUT, listing, migrate, ownership, renditions, search, transfer, uploads,
};

#[tokio::test]
async fn every_query_uses_an_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = migrate::options(&folder.path().join("db"), BUSY_TIMEOUT);
    migrate::prepare(&options).await.expect("a database");
    let mut conn = options.connect().await.expect("a connection");
    let pages = search::PAGES.map(|(.., page)| page);
    let others = [
        ownership::OWNED,
        ownership::OWNED_IN_SCOPES,
        ownership::EXPLAIN,
        listing::GET,
        listing::OWNER,
        listing::NEWEST,
        listing::NEWEST_IN_SCOPES,
        uploads::PROCESSING,
        listing::FIND_BY_HASH,
        search::COUNT,
        search::COUNT_IN_SCOPES,
        uploads::CURRENT,
        transfer::EXPORT,
        transfer::SAME,
        blobs::BURY,
        blobs::REMOVE,
        blobs::DEAD,
        blobs::IS_REFERENCED,
        blobs::REFERENCED,
        blobs::RECORD_STRAYS,
        blobs::FORGET_DEAD,
        renditions::FIND,
        renditions::LEAST_RECENTLY_USED,
        renditions::REMOVED,
        "SELECT * FROM records WHERE hash = ?1 AND owner = ?2",
        "DELETE FROM media WHERE id = ?1",
        "DELETE FROM refs WHERE media = ?1",
        "DELETE FROM renditions WHERE media = ?1",
        "SELECT number FROM media WHERE owner = ?1 ORDER BY arrival LIMIT ?2",
    ];
    for sql in others.into_iter().chain(pages) {
        let steps = plan(&mut conn, sql).await;
        // A scan of the parameters, of a page, or of an index in its order up to a limit is bounded.
        let bounded = |step: &str| {
            step.contains("VIRTUAL TABLE")
                || step.contains("CONSTANT ROW")
                || step.contains("(subquery") && sql.contains("LIMIT")
                || step.contains("USING") && sql.contains("LIMIT")
                || step.contains("B-TREE FOR ORDER BY") && sql.contains("ORDER BY asked.key")
        };
        let costly = |step: &&String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
        let found = steps.iter().filter(costly).find(|step| !bounded(step));
        assert_eq!(found, None, "{sql}\n{steps:#?}");
        // A list that depends on the outer row is read again for each row (promise R11).
        let correlated = steps.iter().find(|step| step.contains("CORRELATED LIST"));
        assert_eq!(correlated, None, "{sql}\n{steps:#?}");
    }
    for (sql, index) in [
        (search::COUNT, "media_by_date (owner=? AND status=? AND created_at>? AND created_at<?)"),
        (search::COUNT_IN_SCOPES, "(owner=? AND arrival=?)"),
        (search::COUNT_IN_SCOPES, "refs_newest (owner=? AND scope=?)"),
        (
            search::PAGES[0].2,
            "media_by_date (owner=? AND status=? AND created_at>? AND created_at<?)",
        ),
        (
            search::PAGES[1].2,
            "media_by_date (owner=? AND status=? AND created_at>? AND created_at<?)",
        ),
        (search::PAGES[2].2, "media_by_size (owner=? AND status=?)"),
        (search::PAGES[3].2, "media_by_size (owner=? AND status=?)"),
        (search::PAGES[4].2, "media_by_date_taken (owner=? AND status=?)"),
        (search::PAGES[5].2, "media_by_date_taken (owner=? AND status=?)"),
    ] {
        let steps = plan(&mut conn, sql).await;
        assert!(steps.iter().any(|step| step.contains(index)), "{sql}\n{steps:#?}");
    }
    for sql in [ownership::OWNED, ownership::OWNED_IN_SCOPES] {
        let steps = plan(&mut conn, sql).await;
        let by_id = |step: &String| step.contains("refs") && step.contains("(media=?");
        assert!(steps.iter().any(by_id), "{sql}\n{steps:#?}");
    }
}

/// The steps of SQLite's plan.
async fn plan(conn: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let explain = query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
    let steps = explain.fetch_all(conn).await.expect("a plan");
    steps.iter().map(|step| step.get("detail")).collect()
}
