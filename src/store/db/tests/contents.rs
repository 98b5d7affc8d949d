//! Orphans and referenced blobs.

use std::time::{Duration, SystemTime};

use super::{TestDb, entry, owner, soon};
use crate::{id::ContentHash, store::db::BlobRow};

fn hash(content: &str) -> ContentHash {
    ContentHash::of(content.as_bytes())
}

#[tokio::test]
async fn r02_a_blob_is_an_orphan_while_no_row_refers_to_it() {
    let (db, ana, bob) = (TestDb::new().await, owner("ana"), owner("bob"));
    db.db.mark_pending(hash("cat")).await.expect("a write");
    db.db.mark_pending(hash("cut off")).await.expect("a write");
    assert_eq!(db.orphans().await.len(), 2);
    let earlier = SystemTime::now() - Duration::from_secs(3_600);
    assert_eq!(db.db.orphans(earlier, 9).await.expect("a list"), []);

    let first = db.insert(&entry(&ana, "cat")).await;
    let second = db.insert(&entry(&bob, "cat")).await;
    assert_eq!(db.orphans().await, [hash("cut off")]);
    db.db.delete(&ana, &first.id).await.expect("a deletion");
    assert_eq!(db.orphans().await, [hash("cut off")], "another row refers to it");
    db.db.delete(&bob, &second.id).await.expect("a deletion");
    assert_eq!(db.orphans().await, [hash("cut off"), hash("cat")]);
}

#[tokio::test]
async fn only_unreferenced_blobs_are_orphans() {
    let (db, ana) = (TestDb::new().await, owner("ana"));
    db.insert(&entry(&ana, "cat")).await;
    // An interrupted upload of the same bytes by another owner.
    db.db.mark_pending(hash("cat")).await.expect("a write");
    db.db.mark_pending(hash("dog")).await.expect("a write");
    for (content, orphan) in [("cat", false), ("dog", true), ("never seen", true)] {
        let found = db.db.is_orphan(hash(content)).await.expect("an answer");
        assert_eq!(found, orphan, "{content}");
        let forgotten = db.db.forget_orphan(hash(content)).await.expect("an answer");
        assert_eq!(forgotten, orphan, "{content}");
    }
    assert_eq!(db.orphans().await, []);
}

#[tokio::test]
async fn orphans_are_listed_oldest_first() {
    let db = TestDb::new().await;
    let hashes: Vec<_> = (0..5).map(|n| hash(&format!("{n}"))).collect();
    for hash in &hashes {
        db.db.mark_pending(*hash).await.expect("a write");
        // Records differ by milliseconds.
        let noted = SystemTime::now();
        while noted.elapsed().is_ok_and(|passed| passed < Duration::from_millis(2)) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(db.orphans().await, hashes);
    assert_eq!(db.db.orphans(soon(), 2).await.expect("a list"), hashes[..2]);
    // Marked again, it becomes the newest.
    db.db.mark_pending(hashes[0]).await.expect("a write");
    assert_eq!(db.orphans().await.last(), Some(&hashes[0]));
}

#[tokio::test]
async fn referenced_blobs_are_paged_each_once() {
    let (db, ana, bob) = (TestDb::new().await, owner("ana"), owner("bob"));
    let mut expected = Vec::new();
    for n in 0..7 {
        let content = "x".repeat(n);
        db.insert(&entry(&ana, &content)).await;
        db.insert(&entry(&bob, &content)).await;
        expected.push(BlobRow { hash: hash(&content), size: n as u64 });
    }
    db.db.mark_pending(hash("pending")).await.expect("a write");
    expected.sort_by_key(|content| content.hash);

    let mut found: Vec<BlobRow> = Vec::new();
    loop {
        let after = found.last().map(|content| content.hash);
        let mut page = db.db.referenced_blobs(after, 3).await.expect("a page");
        if page.is_empty() {
            break;
        }
        found.append(&mut page);
        assert!(found.len() <= expected.len(), "the pages do not end");
    }
    assert_eq!(found, expected);

    let asked = [hash("pending"), hash("nowhere"), hash("xx")];
    let known = db.db.existing(&asked).await.expect("an answer");
    assert_eq!(known, [hash("pending"), hash("xx")]);
}
