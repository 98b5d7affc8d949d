//! What an upload leaves in the rows.

use futures_util::future;

use super::{Lab, entry, in_scope, owner};
use crate::{
    error::ErrorKind,
    media::{ListOptions, MediaStats, MediaStatus, Metadata},
    owner::Scopes,
    store::db::{Database as _, Entry},
};

#[tokio::test]
async fn a_row_is_the_same_in_the_answer_alone_and_in_the_list() {
    let (lab, ana) = (Lab::new().await, owner("ana").with_tenant("acme").expect("a tenant"));
    let full = entry(&ana, "full");
    let bare = Entry {
        hash: crate::id::ContentHash::of(b"bare"),
        size: 0,
        mime_type: String::new(),
        file_name: None,
        status: MediaStatus::Processing,
        metadata: None,
        exif: None,
        ..full.clone()
    };
    for entry in [full, bare] {
        let row = lab.insert(&entry).await;
        assert_eq!(row.owner, entry.owner);
        assert_eq!((row.hash, row.size), (entry.hash, entry.size));
        assert_eq!((&row.mime_type, &row.file_name), (&entry.mime_type, &entry.file_name));
        assert_eq!((row.status, &row.metadata), (entry.status, &entry.metadata));
        assert_eq!(row.exif, entry.exif);
        assert_eq!(lab.get(&row.id).await.as_ref(), Some(&row));
        assert_eq!(lab.list(&ana, ListOptions::new()).await.first(), Some(&row));
    }
}

#[tokio::test]
async fn the_same_content_again_keeps_id_name_and_date_and_adds_the_scope() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let first = entry(&ana, "cat");
    let row = lab.insert(&first).await;
    let renamed = Entry { file_name: None, status: MediaStatus::Processing, ..first.clone() };
    for again in [first.clone(), renamed, in_scope(&first, "wardrobe"), in_scope(&first, "me")] {
        assert_eq!(lab.insert(&again).await, row);
        assert_eq!(lab.stats(&ana).await, MediaStats::new(1, 3));
    }
    for (name, owned) in [("me", true), ("wardrobe", true), ("comic", false)] {
        let scopes = Scopes::of([name]).expect("a scope");
        let found = lab.owned(&ana, &scopes, std::slice::from_ref(&row.id)).await;
        assert_eq!(found.len(), usize::from(owned), "{name}");
    }
}

#[tokio::test]
async fn uploading_again_repairs_what_failed() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let good = entry(&ana, "cat");
    let bad = Entry { status: MediaStatus::Failed, metadata: None, exif: None, ..good.clone() };
    let row = lab.insert(&bad).await;
    let repaired = lab.insert(&Entry { file_name: None, ..good.clone() }).await;
    assert_eq!(repaired.id, row.id);
    assert_eq!((repaired.created_at, &repaired.file_name), (row.created_at, &row.file_name));
    assert_eq!(repaired.status, MediaStatus::Ready);
    assert_eq!((&repaired.metadata, &repaired.exif), (&good.metadata, &good.exif));
    // What is well is not made worse.
    assert_eq!(lab.insert(&bad).await, repaired);
}

#[tokio::test]
async fn p15_owners_of_the_same_content_have_nothing_in_common() {
    let (lab, ana, bob) = (Lab::new().await, owner("ana"), owner("bob"));
    let first = lab.insert(&entry(&ana, "cat")).await;
    let theirs = Entry { file_name: None, ..in_scope(&entry(&bob, "cat"), "comic") };
    let second = lab.insert(&theirs).await;
    assert_ne!(second.id, first.id);
    assert_eq!(second.file_name, None);
    for (owner, row) in [(&ana, &first), (&bob, &second)] {
        assert_eq!(lab.list(owner, ListOptions::new()).await, std::slice::from_ref(row));
        assert_eq!(lab.stats(owner).await, MediaStats::new(1, 3));
    }
    lab.db.delete(&ana, &first.id).await.expect("a removal");
    assert_eq!(lab.get(&second.id).await, Some(second));
}

#[tokio::test]
async fn an_owner_has_no_more_bytes_than_the_quota() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let insert = async |content: &str, quota| {
        lab.db.insert(entry(&ana, content), Some(quota)).await.map_err(|error| error.kind())
    };
    assert_eq!(insert("12345", 4).await, Err(ErrorKind::TooLarge));
    assert_eq!(lab.stats(&ana).await, MediaStats::default());
    let first = insert("12345", 5).await.expect("it fits");
    assert_eq!(insert("6", 5).await, Err(ErrorKind::TooLarge));
    // What is there already takes no more room, even if there is too much of it.
    assert_eq!(insert("12345", 0).await, Ok(first));
    assert_eq!(insert("6", 6).await.map(|row| row.size), Ok(1));
    assert_eq!(insert("7", u64::MAX).await.map(|row| row.size), Ok(1));
    assert_eq!(lab.stats(&ana).await, MediaStats::new(3, 7));
    assert_eq!(lab.list(&ana, ListOptions::new()).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn r03_equal_inserts_at_once_are_one_row() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let cat = entry(&ana, "cat");
    let inserts = (0..64).map(|_| lab.insert(&cat));
    let rows = future::join_all(inserts).await;
    assert!(rows.iter().all(|row| *row == rows[0]));
    assert_eq!(lab.list(&ana, ListOptions::new()).await, rows[..1]);
    assert_eq!(lab.stats(&ana).await, MediaStats::new(1, 3));
}

#[tokio::test]
async fn what_is_processed_is_known_until_it_is_done() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let begun = Entry { status: MediaStatus::Processing, metadata: None, ..entry(&ana, "1") };
    let first = lab.insert(&begun).await;
    let other = Entry { hash: crate::id::ContentHash::of(b"2"), ..begun.clone() };
    let second = lab.insert(&other).await;
    lab.insert(&entry(&ana, "ready")).await;
    let processing = async |limit| lab.db.processing(limit).await.expect("a list");
    assert_eq!(processing(9).await, [first.id.clone(), second.id.clone()]);
    assert_eq!(processing(1).await, std::slice::from_ref(&first.id));

    let metadata = Some(Metadata::new(3, 4));
    let set = async |id, status, metadata| {
        lab.db.set_status(id, status, metadata).await.expect("a change")
    };
    assert!(set(&first.id, MediaStatus::Ready, metadata.clone()).await);
    assert!(set(&second.id, MediaStatus::Failed, None).await);
    assert_eq!(processing(9).await, []);
    let row = lab.get(&first.id).await.expect("it is there");
    assert_eq!((row.status, &row.metadata), (MediaStatus::Ready, &metadata));
    // What was known of it stays.
    assert!(set(&first.id, MediaStatus::Failed, None).await);
    assert_eq!(lab.get(&first.id).await.expect("it is there").metadata, metadata);
    assert!(!set(&crate::id::MediaId::random(), MediaStatus::Ready, None).await);
}
