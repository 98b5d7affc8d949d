//! Stored renditions.

use std::time::{Duration, SystemTime};

use super::{Lab, entry, owner, soon};
use crate::{
    id::{ContentHash, MediaId},
    store::db::{Database as _, RenditionRow},
};

fn rendition(key: &str, size: u64, hours_ago: u64) -> RenditionRow {
    let now = SystemTime::UNIX_EPOCH
        + Duration::from_secs(
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs(),
        );
    RenditionRow {
        key: key.to_owned(),
        size,
        hash: ContentHash::of(key.as_bytes()),
        mime_type: "image/webp".to_owned(),
        width: 200,
        height: 100,
        used_at: now - Duration::from_secs(3_600 * hours_ago),
    }
}

async fn keep(lab: &Lab, id: &MediaId, rendition: &RenditionRow) -> bool {
    lab.db.keep_rendition(id, rendition.clone()).await.expect("a note")
}

async fn find(lab: &Lab, id: &MediaId, key: &str) -> Option<RenditionRow> {
    lab.db.rendition(id, key).await.expect("a look")
}

async fn bytes(lab: &Lab) -> u64 {
    lab.db.rendition_bytes().await.expect("a sum")
}

#[tokio::test]
async fn p15_renditions_belong_to_one_row() {
    let lab = Lab::new().await;
    let ana = lab.insert(&entry(&owner("ana"), "cat")).await.id;
    let bob = lab.insert(&entry(&owner("bob"), "cat")).await.id;
    let thumb = rendition("thumbnail", 7, 0);
    assert!(keep(&lab, &ana, &thumb).await);
    assert_eq!(find(&lab, &ana, "thumbnail").await, Some(thumb.clone()));
    assert_eq!(find(&lab, &bob, "thumbnail").await, None);
    assert_eq!(find(&lab, &ana, "medium").await, None);

    let larger = RenditionRow { size: 9, width: 300, ..thumb };
    assert!(keep(&lab, &ana, &larger).await);
    assert_eq!(find(&lab, &ana, "thumbnail").await, Some(larger));
    assert_eq!(bytes(&lab).await, 9);
    assert!(!keep(&lab, &MediaId::random(), &rendition("thumbnail", 1, 0)).await);
    assert_eq!(bytes(&lab).await, 9);
}

#[tokio::test]
async fn the_least_recently_used_comes_first_and_use_is_noted_by_the_hour() {
    let lab = Lab::new().await;
    let id = lab.insert(&entry(&owner("ana"), "cat")).await.id;
    for (key, hours) in [("b", 2), ("c", 0), ("a", 3)] {
        keep(&lab, &id, &rendition(key, 10, hours)).await;
    }
    let order = async |limit| {
        let rows = lab.db.least_recently_used(limit).await.expect("a list");
        assert!(rows.iter().all(|(media, _)| *media == id));
        rows.into_iter().map(|(_, row)| row.key).collect::<String>()
    };
    assert_eq!(order(9).await, "abc");
    assert_eq!(order(2).await, "ab");
    for key in ["a", "c"] {
        let row = find(&lab, &id, key).await.expect("it is there");
        lab.db.touch_rendition(&id, &row).await.expect("a note");
        let now = find(&lab, &id, key).await.expect("it is there").used_at;
        assert_eq!(now > row.used_at, key == "a", "{key}");
    }
    assert_eq!(order(9).await, "bca");
}

#[tokio::test]
async fn renditions_of_removed_media_are_known_until_their_files_are_gone() {
    let (lab, ana) = (Lab::new().await, owner("ana"));
    let cat = lab.insert(&entry(&ana, "cat")).await.id;
    let dog = lab.insert(&entry(&ana, "dog")).await.id;
    let bare = lab.insert(&entry(&ana, "bare")).await.id;
    for id in [&cat, &dog] {
        keep(&lab, id, &rendition("a", 10, 0)).await;
        keep(&lab, id, &rendition("b", 10, 0)).await;
    }
    let removed = async || lab.db.removed(soon(), 9).await.expect("a list");
    let forget = async |id, key| lab.db.forget_renditions(id, key).await.expect("a note");
    assert_eq!(removed().await, []);
    lab.db.delete(&ana, &cat).await.expect("a removal");
    lab.db.delete(&ana, &bare).await.expect("a removal");
    assert_eq!(removed().await, std::slice::from_ref(&cat));
    assert_eq!(find(&lab, &cat, "a").await, None, "of media that is gone");
    assert_eq!(bytes(&lab).await, 40, "files that are there count");
    let earlier = SystemTime::now() - Duration::from_secs(3_600);
    assert_eq!(lab.db.removed(earlier, 9).await.expect("a list"), []);

    forget(&cat, Some("a")).await;
    assert_eq!((removed().await, bytes(&lab).await), (vec![cat.clone()], 30));
    forget(&cat, None).await;
    assert_eq!((removed().await, bytes(&lab).await), (vec![], 20));
    forget(&dog, Some("a")).await;
    assert!(find(&lab, &dog, "b").await.is_some());
    lab.db.erase_owner(&ana).await.expect("an erasure");
    assert_eq!(removed().await, std::slice::from_ref(&dog));
    assert!(!keep(&lab, &dog, &rendition("late", 10, 0)).await);
    lab.db.check().await.expect("everything fits together");
}
