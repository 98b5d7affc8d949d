//! Contents: reservation, references, garbage collection.

use std::{collections::HashSet, time::Duration};

use futures_util::future;

use super::{Engine, TestDb, each_engine, entry, owner};
use crate::{
    id::ContentHash,
    store::db::{BlobId, BlobRow, Generation},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn hash(content: &str) -> ContentHash {
    ContentHash::of(content.as_bytes())
}

async fn claim(db: &TestDb, grace: Duration) -> usize {
    db.db.claim_unreferenced(grace, 100).await.expect("a write")
}

async fn dead(db: &TestDb) -> Vec<BlobId> {
    db.db.dead_blobs(Duration::ZERO, 100).await.expect("a list")
}

/// Waits until the next record has a later time.
async fn next_millisecond() {
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(2) {
        tokio::task::yield_now().await;
    }
}

async fn r02_a_content_is_unreferenced_without_media_rows(engine: Engine) {
    let (db, ana, bob) = (TestDb::new(engine).await, owner("ana"), owner("bob"));
    db.reserve("cat").await;
    db.reserve("cut off").await;
    assert_eq!(db.unreferenced().await.len(), 2);
    assert_eq!(claim(&db, HOUR).await, 0, "the leases have not expired");

    let first = db.insert(&entry(&ana, "cat")).await;
    let second = db.insert(&entry(&bob, "cat")).await;
    assert_eq!(first.blob(), second.blob());
    assert_eq!(db.unreferenced().await, [hash("cut off")]);
    assert!(db.db.is_referenced(first.blob()).await.expect("a query"));
    db.db.delete(&ana, &first.id).await.expect("a deletion");
    assert_eq!(db.unreferenced().await, [hash("cut off")], "another row refers to it");
    db.db.delete(&bob, &second.id).await.expect("a deletion");
    assert_eq!(db.unreferenced().await, [hash("cut off"), hash("cat")]);
    assert!(!db.db.is_referenced(first.blob()).await.expect("a query"));
    assert_eq!(claim(&db, HOUR).await, 0, "the grace period is not over");
}

async fn m01_a_claimed_generation_is_never_given_again(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let mut seen = HashSet::new();
    for round in 1..=3 {
        let blob = db.reserve("cat").await;
        assert_eq!(db.reserve("cat").await, blob, "a lease that is renewed");
        assert!(seen.insert(blob.generation));
        let row = db.insert(&entry(&ana, "cat")).await;
        assert_eq!(row.blob(), blob);
        assert_eq!(claim(&db, Duration::ZERO).await, 0, "it is referenced");
        db.db.delete(&ana, &row.id).await.expect("a deletion");
        assert_eq!(claim(&db, Duration::ZERO).await, 1);
        assert_eq!(dead(&db).await.len(), round, "a dead blob is recorded until it is deleted");
        assert!(dead(&db).await.contains(&blob));
    }
    assert!(!seen.contains(&Generation::UNNUMBERED));
    db.db.forget_dead(&dead(&db).await).await.expect("a write");
    assert_eq!(dead(&db).await, []);
    db.db.check().await.expect("a consistent database");
}

async fn m02_an_insert_without_its_generation_is_refused(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let lost = db.reserve("cat").await;
    assert_eq!(claim(&db, Duration::ZERO).await, 1);
    db.db.forget_dead(&[lost]).await.expect("a write");
    let insert = async |generation| {
        db.db.insert(entry(&ana, "cat"), generation, None).await.expect("no fault")
    };
    assert_eq!(insert(lost.generation).await, None, "the content was removed");
    // The bytes may have been placed after the object was deleted.
    assert_eq!(dead(&db).await, [lost]);

    let current = db.reserve("cat").await;
    assert_eq!(insert(lost.generation).await, None, "the content has another generation");
    assert_eq!(db.stats(&ana).await.count, 0);
    assert_eq!(insert(current.generation).await.map(|row| row.blob()), Some(current));
    assert_eq!(dead(&db).await, [lost]);
    db.db.check().await.expect("a consistent database");
}

async fn contents_are_claimed_oldest_first_each_once(engine: Engine) {
    let db = TestDb::new(engine).await;
    let contents: Vec<_> = (0..5).map(|n| n.to_string()).collect();
    for content in contents.iter().chain([&contents[0]]) {
        db.reserve(content).await;
        next_millisecond().await;
    }
    // Reserved twice, the first is the newest.
    let order = [1, 2, 3, 4, 0].map(|n: usize| hash(&contents[n]));
    assert_eq!(db.unreferenced().await, order);
    let claims = (0..3).map(|_| db.db.claim_unreferenced(Duration::ZERO, 2));
    let claimed = future::join_all(claims).await;
    let claimed: Vec<_> = claimed.into_iter().map(|claimed| claimed.expect("a write")).collect();
    assert_eq!(claimed.iter().sum::<usize>(), 5, "{claimed:?}");
    let hashes: Vec<_> = dead(&db).await.into_iter().map(|blob| blob.hash).collect();
    assert_eq!(hashes, order);
    assert_eq!(db.db.dead_blobs(HOUR, 9).await.expect("a list"), []);
    assert_eq!(db.db.dead_blobs(Duration::ZERO, 2).await.expect("a list").len(), 2);
}

async fn only_unknown_blobs_are_strays(engine: Engine) {
    let (db, ana) = (TestDb::new(engine).await, owner("ana"));
    let kept = db.insert(&entry(&ana, "kept")).await.blob();
    let claimed = db.reserve("claimed").await;
    claim(&db, Duration::ZERO).await;
    let pending = db.reserve("pending").await;
    let other = |blob: BlobId| BlobId { generation: Generation::random(), ..blob };
    let old = |blob: BlobId| BlobId { generation: Generation::UNNUMBERED, ..blob };
    let strays = [other(kept), other(pending), old(kept), other(claimed)];
    let found = [&[kept, pending, claimed][..], &strays].concat();
    let record = async |blobs: &[BlobId]| db.db.record_strays(blobs).await.expect("a write");
    assert_eq!(record(&found).await, 4);
    assert_eq!(record(&found).await, 0, "they are known now");
    assert_eq!(record(&[]).await, 0);
    let buried: HashSet<_> = dead(&db).await.into_iter().collect();
    assert_eq!(buried, strays.into_iter().chain([claimed]).collect());
    assert_eq!(db.db.dead_blobs(HOUR, 9).await.expect("a list"), [], "they have a grace period");
    db.db.check().await.expect("a consistent database");
}

async fn referenced_blobs_are_paged_each_once(engine: Engine) {
    let (db, ana, bob) = (TestDb::new(engine).await, owner("ana"), owner("bob"));
    let mut expected = Vec::new();
    for n in 0..7 {
        let content = "x".repeat(n);
        let row = db.insert(&entry(&ana, &content)).await;
        db.insert(&entry(&bob, &content)).await;
        expected.push(BlobRow { id: row.blob(), size: n as u64 });
    }
    db.reserve("pending").await;
    expected.sort_by_key(|row| row.id);

    let mut found: Vec<BlobRow> = Vec::new();
    loop {
        let after = found.last().map(|row| row.id.hash);
        let mut page = db.db.referenced_blobs(after, 3).await.expect("a page");
        if page.is_empty() {
            break;
        }
        found.append(&mut page);
        assert!(found.len() <= expected.len(), "the pages do not end");
    }
    assert_eq!(found, expected);
}

each_engine! {
    r02_a_content_is_unreferenced_without_media_rows,
    m01_a_claimed_generation_is_never_given_again,
    m02_an_insert_without_its_generation_is_refused,
    contents_are_claimed_oldest_first_each_once,
    only_unknown_blobs_are_strays,
    referenced_blobs_are_paged_each_once,
}
