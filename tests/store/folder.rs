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

#[tokio::test]
async fn r09_a_deleted_lock_file_does_not_admit_a_second_process() {
    let home = TestStore::new().await;
    fs::remove_file(home.folder.path().join("lock")).unwrap();
    let refused = Store::open(home.folder.path()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
}

#[tokio::test]
async fn r09_a_folder_that_cannot_take_blobs_is_refused_at_start() {
    for name in ["blobs", "renditions"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), "a file in the place of a folder").unwrap();
        let refused = Store::open(folder.path()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        let text = refused.to_string();
        assert!(text.contains(name) && text.contains("is not writable"), "{text}");
    }
}

/// `blobs` on another file system, which `/dev/shm` usually is.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r09_blobs_on_another_file_system_are_refused() {
    use std::os::{linux::fs::MetadataExt as _, unix::fs::symlink};
    let folder = tempfile::tempdir().unwrap();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: no second file system");
        return;
    };
    let device = |path: &std::path::Path| path.metadata().unwrap().st_dev();
    if device(folder.path()) == device(other.path()) {
        eprintln!("skipped: /dev/shm is the file system of the temporary folder");
        return;
    }
    symlink(other.path(), folder.path().join("blobs")).unwrap();
    let refused = Store::open(folder.path()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("another file system"), "{refused}");
}

/// The child process that runs under a umask.
#[cfg(unix)]
#[tokio::test]
#[ignore = "needs a parent that sets the umask"]
async fn writer_under_umask() {
    let Ok(folder) = std::env::var("TOWER_MEDIA_UMASK_FOLDER") else { return };
    let store = Store::open(&folder).await.unwrap();
    let ana = owner("ana");
    keep(&store, vec![1; 600_000], &ana).await;
    let photo = keep(&store, picture("quad-noexif.jpg"), &ana).await;
    read(&store, &photo.id, Rendition::png(10)).await.unwrap();
    modes(std::path::Path::new(&folder));
    println!("umask: checked");
}

/// Asserts that nothing in the folder is accessible to other users.
#[cfg(unix)]
fn modes(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = path.symlink_metadata().unwrap();
    let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
    let mode = metadata.permissions().mode() & 0o777;
    assert_eq!(mode, expected, "{}: {mode:o}", path.display());
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            modes(&entry.unwrap().path());
        }
    }
}

#[cfg(unix)]
#[test]
fn p20_files_are_private_under_any_umask() {
    for umask in ["000", "022"] {
        let parent = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["folder::writer_under_umask", "--exact", "--ignored", "--nocapture"])
            .env("TOWER_MEDIA_UMASK_FOLDER", parent.path().join("media"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("umask: checked"),
            "umask {umask}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The child process that opens a folder under conditions of its parent, and prints the error.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "needs a parent that confines it"]
async fn opener() {
    let Ok(folder) = std::env::var("TOWER_MEDIA_OPEN_FOLDER") else { return };
    match Store::open(&folder).await {
        Ok(_) => println!("opener: opened"),
        Err(error) => println!("opener: {:?}: {error}", error.kind()),
    }
}

/// Opens a folder in a process that is started by this command, and returns its output.
#[cfg(target_os = "linux")]
fn open_under(command: &[&str], folder: &std::path::Path) -> String {
    let output = std::process::Command::new(command[0])
        .args(&command[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["folder::opener", "--exact", "--ignored", "--nocapture"])
        .env("TOWER_MEDIA_OPEN_FOLDER", folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("opener: "), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[cfg(target_os = "linux")]
#[test]
fn r09_a_folder_without_write_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // Permissions do not bind root, unless it gives up the capability.
    let is_bound = fs::write(folder.path().join("probe"), "").is_err();
    let command: &[&str] =
        if is_bound { &["env"] } else { &["setpriv", "--bounding-set=-dac_override"] };
    let text = open_under(command, folder.path());
    let path = folder.path().display();
    let expected = format!("Unavailable: the media folder {path} is not writable");
    assert!(text.contains(&expected), "{text}");
}

/// The system call that locks fails as on a file system without locks, which is a network file system that no
/// test can mount alone.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace"]
fn r09_a_file_system_without_locks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fails = ["strace", "-f", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK"];
    let text = open_under(&fails, folder.path());
    assert!(text.contains("Unavailable") && text.contains("cannot be locked"), "{text}");
    assert!(open_under(&["env"], folder.path()).contains("opened"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "needs root and tmpfs"]
async fn r09_a_read_only_file_system_is_refused() {
    let disk = crate::support::SmallDisk::mount();
    disk.remount_read_only();
    let refused = Store::open(disk.path()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("is not writable"), "{refused}");
}
