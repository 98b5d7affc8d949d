//! The folder: exclusive use, damage, names and links in it.

use std::fs;

use tower_media::{ErrorKind, Rendition, Store, backend::MediaBackend};

use crate::support::{TestStore, keep, owner, picture, read};

#[tokio::test]
async fn a_folder_in_use_is_refused_until_released() {
    let home = TestStore::new().await;
    let refused = Store::open(home.folder.path()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("in use by another process"), "{refused}");

    let TestStore { folder, store } = home;
    let kept = keep(&store, "hello", &owner("ana")).await;
    drop(store);
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.get(&kept.id).await.unwrap(), kept);
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("media.sqlite"), "this is not a database, but it is long enough")
        .unwrap();
    let refused = Store::open(folder.path()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Integrity, "{refused:?}");
}

#[tokio::test]
async fn a_path_below_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = Store::open(file.path().join("below")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn p09_clients_name_no_file_in_the_folder() {
    let home = TestStore::new().await;
    let ana = owner("ana/../bob");
    let names = ["../../evil.jpg", "con", "a\0b", "\u{202e}gpj.exe", "🐈.jpg", &"x".repeat(10_000)];
    for (byte, name) in names.iter().enumerate() {
        let upload = crate::support::upload(vec![byte as u8; 10]).file_name(name);
        home.store.upload(&ana, upload.content_type("image/../../x")).await.unwrap();
    }
    let kept = home.files("");
    assert_eq!(
        kept.iter()
            .filter(|path| path.components().any(|part| part.as_os_str() == "blobs"))
            .count(),
        names.len()
    );
    for path in kept {
        let name = path
            .strip_prefix(home.folder.path().canonicalize().unwrap())
            .or(path.strip_prefix(home.folder.path()))
            .unwrap();
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/.-".contains(&byte);
        assert!(name.to_str().unwrap().bytes().all(plain), "{name:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn p09_a_symbolic_link_is_not_followed() {
    let home = TestStore::new().await;
    let kept = keep(&home.store, picture("quad-noexif.jpg"), &owner("ana")).await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), picture("quad-noexif.jpg")).unwrap();
    let [file] = &home.files("blobs")[..] else { panic!("there is one file") };
    fs::remove_file(file).unwrap();
    std::os::unix::fs::symlink(secret.path(), file).unwrap();

    let refused = read(&home.store, &kept.id, Rendition::Original).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Integrity);
    let refused = read(&home.store, &kept.id, Rendition::png(10)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Integrity);
}
