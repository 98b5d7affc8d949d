//! A folder that an earlier version wrote: its keys have no generation.

use std::{fs, path::Path, time::Duration};

use tower_media::{Media, Rendition, backend::MediaBackend, media::ListOptions, media::Variant};

use crate::support::{TestStore, builder, files, keep, owner, picture, read};

const TEXT: &str = "shared text";

/// Opens a copy of the folder of schema version 2.
async fn store_v2() -> TestStore {
    let fixture = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/store-v2"));
    let folder = tempfile::tempdir().unwrap();
    for file in files(fixture) {
        let copy = folder.path().join(file.strip_prefix(fixture).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
    let store = builder().grace(Duration::ZERO).open(folder.path()).await.unwrap();
    TestStore { folder, store }
}

async fn media_of(home: &TestStore, name: &str) -> Vec<Media> {
    home.store.list(&owner(name), &ListOptions::new()).await.unwrap().items
}

#[tokio::test]
async fn r02_a_folder_without_generations_is_served_as_it_is() {
    let home = store_v2().await;
    let (hers, his) = (media_of(&home, "ana").await, media_of(&home, "bob").await);
    let [photo, note] = &hers[..] else { panic!("{hers:?}") };
    assert_eq!(
        read(&home.store, &photo.id, Rendition::Original).await.unwrap(),
        picture("one-pixel.png")
    );
    read(&home.store, &photo.id, Variant::Thumbnail).await.unwrap();
    for text in [note, &his[0]] {
        assert_eq!(read(&home.store, &text.id, Rendition::Original).await.unwrap(), TEXT);
    }
    let found = home.store.verify().await.unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.checked, found.strays), (2, 0));
    // A bob's text, which the earlier version had deleted.
    assert_eq!(home.files("blobs").len(), 3);
    assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1);
    assert_eq!(home.files("blobs").len(), 2);
}

#[tokio::test]
async fn r02_contents_of_an_earlier_version_are_counted() {
    let home = store_v2().await;
    home.store.collect_garbage().await.unwrap();
    // Another owner refers to the file under its old key.
    let zoes = keep(&home.store, TEXT, &owner("zoe")).await;
    assert_eq!(home.files("blobs").len(), 2);
    let old_key = home.blob(&zoes);
    assert!(!old_key.to_str().unwrap().contains('-'), "{old_key:?}");
    for name in ["ana", "bob"] {
        home.store.erase_owner(&owner(name)).await.unwrap();
    }
    assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1);
    assert_eq!(read(&home.store, &zoes.id, Rendition::Original).await.unwrap(), TEXT);
    // After the last one, the old key is not used again.
    home.store.delete(&owner("zoe"), &zoes.id).await.unwrap();
    assert_eq!(home.store.collect_garbage().await.unwrap().blobs, 1);
    assert!(home.files("blobs").is_empty());
    let again = keep(&home.store, TEXT, &owner("zoe")).await;
    assert_ne!(home.blob(&again), old_key);
    assert!(home.store.verify().await.unwrap().is_sound());
}
