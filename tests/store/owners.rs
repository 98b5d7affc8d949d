//! Equal bytes of two owners: neither learns of the other (promise P15).

use tower_media::{Media, Rendition, backend::MediaBackend, media::Variant};

use crate::support::{TestStore, keep, owner, picture, read, upload};

/// A record without the fields that must differ.
fn shape(mut media: Media) -> serde_json::Value {
    let id = media.id.to_string();
    media.created_at = std::time::SystemTime::UNIX_EPOCH;
    serde_json::from_str(&serde_json::to_string(&media.for_owner()).unwrap().replace(&id, "ID"))
        .unwrap()
}

#[tokio::test]
async fn p15_second_owner_of_equal_bytes_gets_an_equal_response() {
    let home = TestStore::new().await;
    for photo in [picture("exif-gps.jpg"), picture("garbage.jpg"), "text".into()] {
        let (ana, bob) = (owner("ana"), owner("bob"));
        let named = |name: &str| upload(photo.clone()).file_name(name);
        let first = home.store.upload(&ana, named("her-cat.jpg")).await.unwrap();
        read(&home.store, &first.id, Variant::Thumbnail).await.ok();
        let second = home.store.upload(&bob, named("his.jpg")).await.unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(second.file_name.as_deref(), Some("his.jpg"));
        assert!(second.created_at >= first.created_at);

        let named = |mut media: Media| {
            media.file_name = None;
            shape(media)
        };
        assert_eq!(named(first), named(second));
    }
}

#[tokio::test]
async fn p15_renditions_are_not_shared_between_owners() {
    let home = TestStore::new().await;
    let (ana, bob) = (owner("ana"), owner("bob"));
    let photo = picture("plain-1000x700.jpg");
    let hers = keep(&home.store, photo.clone(), &ana).await;
    let his = keep(&home.store, photo, &bob).await;
    read(&home.store, &hers.id, Variant::Thumbnail).await.unwrap();
    let of = |media: &Media| {
        let id = media.id.to_string();
        home.files("renditions").iter().filter(|path| path.to_str().unwrap().contains(&id)).count()
    };
    assert_eq!((of(&hers), of(&his)), (2, 0));
}

#[tokio::test]
async fn p15_deletion_by_one_owner_leaves_the_others_media() {
    let home = TestStore::new().await;
    let (ana, bob) = (owner("ana"), owner("bob"));
    let photo = picture("quad-noexif.jpg");
    let hers = keep(&home.store, photo.clone(), &ana).await;
    let his = keep(&home.store, photo.clone(), &bob).await;
    read(&home.store, &his.id, Variant::Thumbnail).await.unwrap();
    assert!(home.store.delete(&ana, &hers.id).await.unwrap());
    assert_eq!(read(&home.store, &his.id, Rendition::Original).await.unwrap(), photo);
    read(&home.store, &his.id, Variant::Thumbnail).await.unwrap();
}
