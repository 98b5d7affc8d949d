//! Bytes that nobody has, and bytes that somebody has.

use std::time::{Duration, SystemTime};

use super::{Lab, entry, owner, soon};
use crate::{
    id::ContentHash,
    store::db::{Content, Database as _},
};

fn hash(content: &str) -> ContentHash {
    ContentHash::of(content.as_bytes())
}

#[tokio::test]
async fn r02_bytes_without_a_row_are_orphans_until_somebody_has_them() {
    let (lab, ana, bob) = (Lab::new().await, owner("ana"), owner("bob"));
    lab.db.mark_pending(hash("cat")).await.expect("a note");
    lab.db.mark_pending(hash("cut off")).await.expect("a note");
    assert_eq!(lab.orphans().await.len(), 2);
    let earlier = SystemTime::now() - Duration::from_secs(3_600);
    assert_eq!(lab.db.orphans(earlier, 9).await.expect("a list"), []);

    let first = lab.insert(&entry(&ana, "cat")).await;
    let second = lab.insert(&entry(&bob, "cat")).await;
    assert_eq!(lab.orphans().await, [hash("cut off")]);
    lab.db.delete(&ana, &first.id).await.expect("a removal");
    assert_eq!(lab.orphans().await, [hash("cut off")], "somebody still has it");
    lab.db.delete(&bob, &second.id).await.expect("a removal");
    assert_eq!(lab.orphans().await, [hash("cut off"), hash("cat")]);
}

#[tokio::test]
async fn only_what_nobody_has_is_swept() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    lab.insert(&entry(&ana, "cat")).await;
    // An upload of the same bytes by somebody else that was cut off.
    lab.db.mark_pending(hash("cat")).await.expect("a note");
    lab.db.mark_pending(hash("dog")).await.expect("a note");
    for (content, orphan) in [("cat", false), ("dog", true), ("never seen", true)] {
        let found = lab.db.is_orphan(hash(content)).await.expect("an answer");
        assert_eq!(found, orphan, "{content}");
        let forgotten = lab.db.forget_orphan(hash(content)).await.expect("an answer");
        assert_eq!(forgotten, orphan, "{content}");
    }
    assert_eq!(lab.orphans().await, []);
}

#[tokio::test]
async fn orphans_come_in_the_order_in_which_they_were_left() {
    let lab = Lab::new().await;
    let hashes: Vec<_> = (0..5).map(|n| hash(&format!("{n}"))).collect();
    for hash in &hashes {
        lab.db.mark_pending(*hash).await.expect("a note");
        // The notes are told apart by milliseconds.
        let noted = SystemTime::now();
        while noted.elapsed().is_ok_and(|passed| passed < Duration::from_millis(2)) {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(lab.orphans().await, hashes);
    assert_eq!(lab.db.orphans(soon(), 2).await.expect("a list"), hashes[..2]);
    // Placed once more, it is left anew.
    lab.db.mark_pending(hashes[0]).await.expect("a note");
    assert_eq!(lab.orphans().await.last(), Some(&hashes[0]));
}

#[tokio::test]
async fn contents_come_in_pages_each_once() {
    let (lab, ana, bob) = (Lab::new().await, owner("ana"), owner("bob"));
    let mut expected = Vec::new();
    for n in 0..7 {
        let content = "x".repeat(n);
        lab.insert(&entry(&ana, &content)).await;
        lab.insert(&entry(&bob, &content)).await;
        expected.push(Content { hash: hash(&content), size: n as u64 });
    }
    lab.db.mark_pending(hash("nobody's")).await.expect("a note");
    expected.sort_by_key(|content| content.hash);

    let mut found: Vec<Content> = Vec::new();
    loop {
        let after = found.last().map(|content| content.hash);
        let mut page = lab.db.referenced_blobs(after, 3).await.expect("a page");
        if page.is_empty() {
            break;
        }
        found.append(&mut page);
        assert!(found.len() <= expected.len(), "the pages do not end");
    }
    assert_eq!(found, expected);

    let asked = [hash("nobody's"), hash("nowhere"), hash("xx")];
    let known = lab.db.existing(&asked).await.expect("an answer");
    assert_eq!(known, [hash("nobody's"), hash("xx")]);
}
