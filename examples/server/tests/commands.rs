//! The commands, as an operator runs them.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tower_media::{MediaState, Owner, Store, Upload, media::ListOptions};

fn server(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_server")).args(arguments).output().unwrap()
}

fn succeeds(arguments: &[&str]) -> String {
    let output = server(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn fails(arguments: &[&str]) -> String {
    let output = server(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

async fn fill(folder: &Path) -> Vec<tower_media::Media> {
    let store = Store::open(folder).await.unwrap();
    let media = MediaState::new(store.clone());
    let ana = Owner::new("ana").unwrap();
    for text in ["one", "two", "three"] {
        media.upload(&ana, Upload::new(text).scope("notes")).await.unwrap();
    }
    let kept = media.list(&ana, &ListOptions::new()).await.unwrap().items;
    store.close().await.unwrap();
    kept
}

#[tokio::test]
async fn m06_migrate_plans_copies_resumes_and_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (a, b, c) = (path("a"), path("b"), path("c"));
    let kept = fill(Path::new(&a)).await;

    let plan = succeeds(&["migrate", "--from", &a, "--to", &b, "--dry-run"]);
    assert!(plan.contains("would copy 3 media with 11 bytes; 0 were there already"), "{plan}");
    assert!(!Path::new(&b).exists(), "a dry run has created the target");
    for (from, to) in [(&a, &b), (&b, &c)] {
        let copied = succeeds(&["migrate", "--from", from, "--to", to]);
        assert!(copied.contains("copied 3 media with 11 bytes"), "{copied}");
        assert!(copied.contains("verified 3 blobs; 0 unreferenced files"), "{copied}");
        let again = succeeds(&["migrate", "--from", from, "--to", to]);
        assert!(again.contains("copied 0 media with 0 bytes; 3 were there already"), "{again}");
    }
    let media = MediaState::new(Store::open(&c).await.unwrap());
    let ana = Owner::new("ana").unwrap();
    assert_eq!(media.list(&ana, &ListOptions::new()).await.unwrap().items, kept);

    // The store is in use now.
    let refused = fails(&["verify", &c]);
    assert!(refused.contains("in use by another process"), "{refused}");
}

#[tokio::test]
async fn verify_and_gc_report_and_fail_on_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("media").to_str().unwrap().to_owned();
    assert!(fails(&["verify", &path]).contains("is not the folder of a store"));
    assert!(!Path::new(&path).exists());
    fill(Path::new(&path)).await;
    assert_eq!(succeeds(&["gc", &path]), "deleted 0 blobs\n");
    assert_eq!(succeeds(&["verify", &path]), "verified 3 blobs; 0 unreferenced files\n");

    let blobs = Path::new(&path).join("blobs");
    let first = fs::read_dir(blobs).unwrap().next().unwrap().unwrap().path();
    let file = fs::read_dir(first).unwrap().next().unwrap().unwrap().path();
    fs::write(file, "other").unwrap();
    let damaged = fails(&["verify", &path]);
    assert!(damaged.contains("damaged: ") && damaged.contains("the store is damaged"), "{damaged}");
    assert!(fails(&["other"]).contains("usage: server"));
}
