//! PostgreSQL alone: many processes, migrations, poolers, failures of the server.

use std::{collections::HashSet, time::Duration};

use futures_util::future::{join, join_all};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    query, raw_sql,
};

use super::{Engine, TestDb, cluster::Cluster, cluster::execute, entry, owner};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{ListOptions, MediaStats},
    owner::Scopes,
    ownership::OwnershipQuestion,
    store::db::{
        BlobQueries as _, Database as _, DeleteQueries as _, Imported, ListQueries as _, MediaRow,
        OwnershipQueries as _, Postgres, PostgresDatabase, UploadQueries as _,
    },
};

pub(super) async fn connect(url: &str) -> Result<PostgresDatabase> {
    PostgresDatabase::open(&Postgres::from(url).max_connections(8)).await
}

pub(super) async fn unreferenced(url: &str) -> Vec<ContentHash> {
    let mut conn = connection(url).await;
    let rows = query("SELECT hash FROM tower_media.contents WHERE refs = 0 ORDER BY since, hash");
    let rows = rows.fetch_all(&mut conn).await.expect("a list");
    conn.close().await.expect("closed");
    let hash = |row: &sqlx::postgres::PgRow| row.get::<Vec<u8>, _>(0).try_into().expect("32 bytes");
    rows.iter().map(hash).map(ContentHash::from_bytes).collect()
}

async fn connection(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().expect("a URL");
    options.connect().await.expect("a connection")
}

async fn new() -> (TestDb, String) {
    let db = TestDb::new(Engine::Postgres).await;
    let url = db.url.clone().expect("a URL");
    (db, url)
}

async fn insert(db: &PostgresDatabase, entry: crate::store::db::NewMedia) -> Result<MediaRow> {
    let blob = db.reserve(entry.hash, entry.size).await?;
    Ok(db.insert(entry, blob.generation, None).await?.expect("it is reserved"))
}

fn says(error: &Error, kind: ErrorKind, what: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(what), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn m04_ten_stores_open_an_empty_database_at_once() {
    let url = Cluster::shared().create_database().await;
    let opened = join_all((0..10).map(|_| connect(&url))).await;
    let stores: Vec<_> = opened.into_iter().map(|db| db.expect("a database")).collect();
    let ana = owner("ana");
    let inserts = stores.iter().enumerate().map(|(n, db)| insert(db, entry(&ana, &n.to_string())));
    for row in join_all(inserts).await {
        row.expect("an insert");
    }
    assert_eq!(stores[0].stats(&ana).await.expect("a count").count, 10);
    stores[9].check().await.expect("a consistent database");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn m04_a_newer_schema_works_while_it_is_compatible() {
    let (db, url) = new().await;
    let ana = owner("ana");
    let row = db.insert(&entry(&ana, "cat")).await;
    // A step that expands, as a newer version would take it.
    execute(
        &url,
        "ALTER TABLE tower_media.media ADD COLUMN future text;
         CREATE OR REPLACE VIEW tower_media.records AS
             SELECT media.id, media.number, media.owner, media.arrival, media.hash, media.generation,
                 media.size, media.mime_type, media.file_name, media.status, media.failure_reason, media.width, media.height,
                 media.format, media.has_alpha, media.exif, media.date_taken, media.has_location,
                 media.created_at, owners.tenant, owners.subject, media.future
             FROM tower_media.media JOIN tower_media.owners ON owners.number = media.owner"
            .replace("media.id, media.number,", "media.number, media.id,")
            .as_str(),
    )
    .await;
    execute(&url, "UPDATE tower_media.schema_version SET version = 99").await;
    assert_eq!(db.get(&row.id).await.as_ref(), Some(&row), "a node that runs");
    db.insert(&entry(&ana, "dog")).await;
    let again = connect(&url).await.expect("a node that starts");
    assert_eq!(again.get(&row.id).await.expect("a query"), Some(row));

    execute(&url, "UPDATE tower_media.schema_version SET compatible_with = 98").await;
    let error = connect(&url).await.expect_err("it cannot work");
    says(&error, ErrorKind::Unsupported, "newer version");
    assert!(error.to_string().contains("99"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_database_that_cannot_work_is_refused() {
    let cluster = Cluster::shared();
    let url = cluster.create_database().await;
    execute(&url, "CREATE SCHEMA tower_media; CREATE TABLE tower_media.media (id int)").await;
    says(&connect(&url).await.expect_err("foreign"), ErrorKind::InvalidInput, "another program");

    let name = format!("latin_{}", uuid::Uuid::new_v4().simple());
    let sql = format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0");
    cluster.execute("postgres", &sql).await;
    let error = connect(&cluster.url(&name)).await.expect_err("another encoding");
    says(&error, ErrorKind::InvalidInput, "LATIN1");

    let error = connect(&cluster.url("missing")).await.expect_err("missing");
    says(&error, ErrorKind::Unavailable, "does not exist");
    let few = Postgres::from(cluster.url("postgres")).max_connections(2);
    let error = PostgresDatabase::open(&few).await.expect_err("too few connections");
    says(&error, ErrorKind::InvalidInput, "at least 4");
    let error = connect("postgres://ana:secret@[").await.expect_err("no URL");
    says(&error, ErrorKind::InvalidInput, "URL");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert!(!format!("{:?}", Postgres::from("postgres://ana:secret@db/x")).contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn m07_every_store_reads_what_one_has_acknowledged() {
    let (db, url) = new().await;
    let other = connect(&url).await.expect("a database");
    let (ana, any) = (owner("ana"), Scopes::any());
    for n in 0..50 {
        let row = db.insert(&entry(&ana, &n.to_string())).await;
        let ids = std::slice::from_ref(&row.id);
        let question = OwnershipQuestion::new(&ana, &any, ids);
        assert_eq!(other.owned(&question).await.expect("an answer"), ids);
        assert_eq!(other.get(&row.id).await.expect("a query").as_ref(), Some(&row));
        if n % 2 == 0 {
            assert!(other.delete(&ana, &row.id).await.expect("a deletion").is_some());
            assert_eq!(db.owned(&ana, &any, ids).await, []);
        }
    }
    assert_eq!(other.stats(&ana).await.expect("a count").count, 25);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn m03_a_quota_is_exact_over_three_stores() {
    let url = Cluster::shared().create_database().await;
    let stores = join_all((0..3).map(|_| connect(&url))).await;
    let stores: Vec<_> = stores.into_iter().map(|db| db.expect("a database")).collect();
    let ana = owner("ana");
    // Each takes 2 bytes, so that 10 of 64 fit.
    let inserts = (10..74).map(async |n: usize| {
        let (db, entry) = (&stores[n % 3], entry(&ana, &n.to_string()));
        let blob = db.reserve(entry.hash, entry.size).await.expect("a write");
        db.insert(entry, blob.generation, Some(21)).await
    });
    let mut fitted = 0;
    for inserted in join_all(inserts).await {
        match inserted {
            Ok(row) => fitted += usize::from(row.is_some()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::TooLarge, "{error:?}"),
        }
    }
    assert_eq!(fitted, 10);
    assert_eq!(stores[0].stats(&ana).await.expect("a count"), MediaStats::new(10, 20));
    stores[1].check().await.expect("a consistent database");
}

/// Uploads, deletions, erasures and collections of few contents by few owners on three stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL"]
async fn m02_concurrent_stores_keep_rows_and_contents_consistent() {
    let url = Cluster::shared().create_database().await;
    let stores = join_all((0..3).map(|_| connect(&url))).await;
    let stores: Vec<_> = stores.into_iter().map(|db| db.expect("a database")).collect();
    let turns = (0..12_usize).map(async |line| {
        let db = &stores[line % 3];
        for n in 0..60_usize {
            let random = (line * 60 + n) * 7_919 % 1_009;
            let whose = owner(["ana", "bob", "zoe"][random % 3]);
            let content = ["a", "b", "c", "d"][random / 3 % 4];
            match random % 7 {
                0..=3 => {
                    let entry = entry(&whose, content);
                    let blob = db.reserve(entry.hash, entry.size).await.expect("a write");
                    db.insert(entry, blob.generation, None).await.expect("a write");
                }
                4 => {
                    let page = db.list(&whose, &ListOptions::new()).await.expect("a page");
                    for row in page.rows.iter().take(2) {
                        db.delete(&whose, &row.id).await.expect("a deletion");
                    }
                }
                5 => {
                    db.claim_unreferenced(Duration::ZERO, 3).await.expect("a claim");
                    let dead = db.dead_blobs(Duration::ZERO, 9).await.expect("a list");
                    db.forget_dead(&dead).await.expect("a write");
                }
                _ => drop(db.erase_owner(&whose).await.expect("an erasure")),
            }
        }
    });
    join_all(turns).await;
    stores[0].check().await.expect("a consistent database");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn m01_collectors_claim_each_content_once() {
    let (db, url) = new().await;
    let other = connect(&url).await.expect("a database");
    for n in 0..40 {
        db.reserve(&n.to_string()).await;
    }
    let claims = (0..20).map(async |n| {
        let claimed = if n % 2 == 0 {
            db.db.claim_unreferenced(Duration::ZERO, 3).await
        } else {
            other.claim_unreferenced(Duration::ZERO, 3).await
        };
        claimed.expect("a claim")
    });
    assert_eq!(join_all(claims).await.iter().sum::<usize>(), 40);
    // One that an upload holds is left alone, and no collector waits for it.
    db.reserve("held").await;
    let mut upload = connection(&url).await;
    raw_sql("BEGIN; SELECT 1 FROM tower_media.contents FOR NO KEY UPDATE")
        .execute(&mut upload)
        .await
        .expect("a lock");
    assert_eq!(other.claim_unreferenced(Duration::ZERO, 3).await.expect("a claim"), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r04_a_restarted_server_is_unavailable_and_then_serves() {
    let cluster = Cluster::start("");
    let url = cluster.create_database().await;
    let db = connect(&url).await.expect("a database");
    let ana = owner("ana");
    let row = insert(&db, entry(&ana, "cat")).await.expect("an insert");
    // Fill the pool with idle connections, which the restart breaks.
    join_all((0..8).map(|_| db.get(&row.id))).await;
    cluster.control(&["-m", "immediate", "-w", "restart"]);
    assert_eq!(db.get(&row.id).await.expect("a retry"), Some(row.clone()));
    insert(&db, entry(&ana, "dog")).await.expect("a retry");

    cluster.control(&["-m", "immediate", "-w", "stop"]);
    let (read, write) = join(db.get(&row.id), db.delete(&ana, &row.id)).await;
    for error in [read.expect_err("it is down"), write.map(drop).expect_err("it is down")] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    cluster.control(&["-w", "start"]);
    assert_eq!(db.get(&row.id).await.expect("a query"), Some(row));
    assert_eq!(db.stats(&ana).await.expect("a count").count, 2);
    db.check().await.expect("a consistent database");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r04_a_killed_connection_is_replaced() {
    let (db, url) = new().await;
    let row = db.insert(&entry(&owner("ana"), "cat")).await;
    for _ in 0..3 {
        join_all((0..6).map(|_| db.get(&row.id))).await;
        execute(
            &url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
        assert_eq!(db.get(&row.id).await.as_ref(), Some(&row));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r11_checks_are_answered_while_lists_and_writes_hang() {
    let (db, url) = new().await;
    let ana = owner("ana");
    let row = db.insert(&entry(&ana, "cat")).await;
    let mut other = connection(&url).await;
    // Every list and every upload of the owner waits for this lock; checks read other tables.
    raw_sql("BEGIN; LOCK TABLE tower_media.contents, tower_media.dead IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .expect("a lock");
    let reads = join_all((0..40).map(|_| db.db.referenced_blobs(None, 1)));
    let writes = join_all((0..40).map(|n| {
        let hash = ContentHash::of(format!("{n}").as_bytes());
        db.db.reserve(hash, 1)
    }));
    let mut hanging = Box::pin(join(reads, writes));
    let any = Scopes::any();
    for _ in 0..50 {
        assert!(futures_util::poll!(&mut hanging).is_pending());
        let ids = std::slice::from_ref(&row.id);
        assert_eq!(db.owned(&ana, &any, ids).await, ids);
        assert_eq!(db.get(&row.id).await.as_ref(), Some(&row));
    }
    // What hangs ends at its deadline, and then everything works again.
    let (reads, writes) = hanging.await;
    for error in reads
        .into_iter()
        .map(|read| read.map(drop))
        .chain(writes.into_iter().map(|write| write.map(drop)))
    {
        let error = error.expect_err("the table is locked");
        assert!(error.is_transient(), "{error:?}");
    }
    other.close().await.expect("closed");
    db.reserve("free").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r11_waiting_queries_are_bounded() {
    let (db, url) = new().await;
    let mut other = connection(&url).await;
    raw_sql("BEGIN; LOCK TABLE tower_media.dead IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .expect("a lock");
    let reads = (0..400).map(|_| db.db.dead_blobs(Duration::ZERO, 1));
    let ended = join_all(reads).await;
    let refused = ended.iter().filter(|ended| {
        let error = ended.as_ref().expect_err("the table is locked");
        error.to_string().contains("too many")
    });
    assert!(refused.count() >= 100);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_pool_of_the_application_is_used_and_left_open() {
    let url = Cluster::shared().create_database().await;
    let options: PgConnectOptions = url.parse().expect("a URL");
    let pool: PgPool = PgPoolOptions::new().max_connections(6).connect_lazy_with(options);
    let db = PostgresDatabase::open(&Postgres::from(pool.clone())).await.expect("a database");
    let row = insert(&db, entry(&owner("ana"), "cat")).await.expect("an insert");
    assert_eq!(db.get(&row.id).await.expect("a query").as_ref(), Some(&row));
    db.close().await.expect("closed");
    let closed = db.get(&row.id).await.expect_err("it is closed");
    says(&closed, ErrorKind::Unavailable, "closed");
    pool.acquire().await.expect("the pool is open");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r08_writes_submitted_before_closing_are_applied() {
    let (db, url) = new().await;
    let ana = owner("ana");
    let inserts = join_all((0..100).map(|n| db.try_insert(entry(&ana, &n.to_string()), None)));
    let (inserted, closed) = join(inserts, db.db.close()).await;
    closed.expect("closed");
    let acknowledged: HashSet<MediaId> =
        inserted.into_iter().filter_map(|row| row.ok().map(|row| row.id)).collect();
    let again = connect(&url).await.expect("a database");
    let page = again.list(&ana, &ListOptions::new().with_limit(500)).await.expect("a page");
    let found: HashSet<MediaId> = page.rows.into_iter().map(|row| row.id).collect();
    assert!(acknowledged.is_subset(&found));
    again.check().await.expect("a consistent database");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn r05_check_finds_wrong_totals_and_references() {
    let (db, url) = new().await;
    let ana = owner("ana");
    let row = db.insert(&entry(&ana, "cat")).await;
    let rendition = crate::store::db::RenditionRow {
        key: "thumbnail".to_owned(),
        size: 9,
        hash: row.hash,
        mime_type: "image/webp".to_owned(),
        width: 1,
        height: 1,
        used_at: row.created_at,
    };
    db.db.keep_rendition(&row.id, rendition).await.expect("a write");
    db.db.check().await.expect("a consistent database");
    for (wrong, right) in [
        (
            "UPDATE tower_media.owners SET bytes = bytes + 1",
            "UPDATE tower_media.owners SET bytes = bytes - 1",
        ),
        (
            "UPDATE tower_media.owners SET ready = ready - 1",
            "UPDATE tower_media.owners SET ready = ready + 1",
        ),
        (
            "UPDATE tower_media.contents SET refs = refs + 1",
            "UPDATE tower_media.contents SET refs = refs - 1",
        ),
        (
            "UPDATE tower_media.media SET generation = -generation",
            "UPDATE tower_media.media SET generation = -generation",
        ),
        (
            "INSERT INTO tower_media.dead SELECT hash, generation, 0 FROM tower_media.contents",
            "DELETE FROM tower_media.dead",
        ),
        ("UPDATE tower_media.refs SET owner = 99", "UPDATE tower_media.refs SET owner = 1"),
        (
            "UPDATE tower_media.totals SET rendition_bytes = 1 WHERE shard = 0",
            "UPDATE tower_media.totals SET rendition_bytes = 0 WHERE rendition_bytes = 1",
        ),
    ] {
        execute(&url, wrong).await;
        let error = db.db.check().await.expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::Integrity);
        execute(&url, right).await;
        db.db.check().await.expect(right);
    }
}

/// PgBouncer in transaction mode, with fewer connections to the server than from clients.
struct PgBouncer {
    folder: tempfile::TempDir,
    port: u16,
    _watchdog: std::process::Child,
}

impl PgBouncer {
    async fn start(cluster: &Cluster) -> Self {
        use std::{os::unix::process::CommandExt as _, process::Stdio};
        let folder = tempfile::tempdir().expect("a folder");
        let port = super::cluster::free_port();
        let path = folder.path().display();
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n\
             logfile = {path}/log\n",
            cluster.port()
        );
        std::fs::write(folder.path().join("config"), config).expect("a configuration");
        let mut watchdog = std::process::Command::new("sh");
        watchdog.args(["-c", r#""$1" -q "$2" & cat; kill $!"#, "sh", "/usr/sbin/pgbouncer"]);
        watchdog.arg(folder.path().join("config")).stdin(Stdio::piped()).process_group(0);
        watchdog.stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        if let Some((uid, gid)) = cluster.user() {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("a folder");
            watchdog.uid(uid).gid(gid);
        }
        let _watchdog = watchdog.spawn().expect("a shell");
        let bouncer = Self { folder, port, _watchdog };
        for _ in 0..1_000 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return bouncer;
            }
            tokio::task::yield_now().await;
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let log = std::fs::read_to_string(bouncer.folder.path().join("log"));
        panic!("PgBouncer does not start; install it (`pgbouncer` of Debian): {log:?}");
    }
}

/// Uploads and checks of several stores, each answer compared with what is true.
async fn every_verdict_is_right(stores: &[PostgresDatabase]) {
    let any = Scopes::any();
    let users = (0..12_usize).map(async |line| {
        let db = &stores[line % stores.len()];
        let (ana, other) = (owner(&format!("ana {line}")), owner("another"));
        for n in 0..10 {
            let row = insert(db, entry(&ana, &format!("{line} {n}"))).await.expect("an insert");
            let ids = [row.id.clone(), MediaId::random()];
            let me = Scopes::of(["me"]).expect("a scope");
            for scopes in [&any, &me] {
                let owned = db.owned(&OwnershipQuestion::new(&ana, scopes, &ids)).await;
                assert_eq!(owned.expect("an answer"), ids[..1]);
                let owned = db.owned(&OwnershipQuestion::new(&other, scopes, &ids)).await;
                assert_eq!(owned.expect("an answer"), []);
            }
            assert_eq!(db.get(&row.id).await.expect("a query"), Some(row.clone()));
            assert_eq!(db.get(&ids[1]).await.expect("a query"), None);
            assert_eq!(db.list(&ana, &ListOptions::new()).await.expect("a page").rows[0], row);
        }
    });
    join_all(users).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL and PgBouncer"]
async fn m04_a_pooler_in_transaction_mode_works() {
    let cluster = Cluster::shared();
    let bouncer = PgBouncer::start(cluster).await;
    for prepared in [false, true] {
        let url = cluster.create_database().await;
        let pooled = url.replace(&format!(":{}/", cluster.port()), &format!(":{}/", bouncer.port));
        let open = || async {
            let config = Postgres::from(&*pooled).max_connections(8).prepared_statements(prepared);
            PostgresDatabase::open(&config).await.expect("a database")
        };
        let stores = [open().await, open().await, open().await];
        every_verdict_is_right(&stores).await;
        stores[0].check().await.expect("a consistent database");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn m06_records_move_between_the_engines() {
    let (from, to) = (TestDb::new(Engine::Sqlite).await, TestDb::new(Engine::Postgres).await);
    let ana = owner("ana").with_tenant("acme").expect("a tenant");
    for n in 0..7 {
        let entry = entry(&ana, &n.to_string());
        from.insert(&entry).await;
        from.insert(&super::in_scope(&entry, "album")).await;
    }
    let rows = from.db.export(None, 9).await.expect("rows");
    for again in [false, true] {
        for row in &rows {
            let blob = to.db.reserve(row.media.hash, row.media.size).await.expect("a write");
            let imported = to.db.import(row.clone(), blob.generation).await.expect("a write");
            assert_eq!(imported, Imported::Done, "again: {again}");
        }
    }
    let mut moved = to.db.export(None, 3).await.expect("rows");
    let last = moved.last().expect("a row").media.id.clone();
    moved.append(&mut to.db.export(Some(&last), 9).await.expect("rows"));
    for (moved, row) in moved.iter_mut().zip(&rows) {
        moved.media.generation = row.media.generation;
    }
    assert_eq!(moved, rows);
    assert_eq!(to.stats(&ana).await, from.stats(&ana).await);
    let mut other = rows[0].clone();
    other.media.id = MediaId::random();
    let conflict = to.db.import(other.clone(), other.media.generation).await.expect("no fault");
    assert_eq!(conflict, Imported::Conflict);
    other.media.hash = ContentHash::of(b"unknown");
    let expired = to.db.import(other, rows[0].media.generation).await.expect("no fault");
    assert_eq!(expired, Imported::Expired);
    to.db.check().await.expect("a consistent database");
}
