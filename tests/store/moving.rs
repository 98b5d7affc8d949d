//! M6: moving to another store keeps ids, names, dates, scopes and quotas, and resumes after a crash.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use object_store::memory::InMemory as Objects;
use tower_media::{
    ErrorKind, Media, MediaId, Owner, Ownership as _, OwnershipQuestion, Rendition, Scopes, Store,
    Upload,
    backend::MediaBackend,
    media::{ContentHash, ListOptions, MediaStats, Variant},
};

use crate::support::{TestStore, builder, files, keep, owner, picture, read, upload};

/// Environment variables with the folders of the child process.
const FROM: &str = "TOWER_MEDIA_MOVE_FROM";
const TO: &str = "TOWER_MEDIA_MOVE_TO";

/// Everything that the public API returns for an owner.
#[derive(Debug, PartialEq)]
struct Library {
    /// In the order of a list, newest first.
    media: Vec<Media>,
    scopes: BTreeMap<&'static str, Vec<MediaId>>,
    stats: MediaStats,
    hashes: Vec<ContentHash>,
}

async fn library(store: &Store, owner: &Owner) -> Library {
    let media = store.list(owner, &ListOptions::new()).await.unwrap().items;
    let mut scopes = BTreeMap::new();
    for scope in ["me", "notes", "post:1"] {
        let options = ListOptions::new().with_scopes(Scopes::of([scope]).unwrap());
        let listed = store.list(owner, &options).await.unwrap().items;
        scopes.insert(scope, listed.into_iter().map(|media| media.id).collect());
    }
    let mut hashes = Vec::new();
    for media in &media {
        hashes.push(ContentHash::of(&read(store, &media.id, Rendition::Original).await.unwrap()));
    }
    Library { media, scopes, stats: store.stats(owner).await.unwrap(), hashes }
}

fn owners() -> [Owner; 3] {
    [owner("ana"), owner("bob"), owner("ana").with_tenant("acme").unwrap()]
}

/// Media of three owners, with equal bytes, several scopes, names, EXIF, a deletion, and a failed image.
async fn fill(store: &Store) {
    let [ana, bob, acme] = owners();
    let photo = picture("exif-gps.jpg");
    keep(store, photo.clone(), &ana).await;
    let named = || Upload::new(photo.clone()).file_name("été.jpg");
    for scope in ["me", "notes", "post:1"] {
        store.upload(&bob, named().scope(scope)).await.unwrap();
    }
    let deleted = keep(store, "deleted", &ana).await;
    keep(store, "", &ana).await;
    keep(store, vec![7; 700_000], &ana).await;
    keep(store, photo, &acme).await;
    store.delete(&ana, &deleted.id).await.unwrap();
    let broken = keep(store, picture("plain-1000x700.jpg").slice(..2_000), &acme).await;
    let _ = read(store, &broken.id, Variant::Medium).await;
    store.upload(&ana, Upload::new("a note").scope("notes")).await.unwrap();
}

async fn libraries(store: &Store) -> Vec<Library> {
    let mut libraries = Vec::new();
    for owner in owners() {
        libraries.push(library(store, &owner).await);
    }
    libraries
}

#[tokio::test]
async fn m06_there_and_back_everything_is_the_same() {
    let first = TestStore::new().await;
    fill(&first.store).await;
    let before = libraries(&first.store).await;
    let bucket = TestStore::with(builder().object_store(Arc::new(Objects::new()))).await;
    let second = TestStore::new().await;
    for (from, to) in [(&first.store, &bucket.store), (&bucket.store, &second.store)] {
        let planned = from.plan_copy_to(to).await.unwrap();
        assert_eq!((planned.copied, planned.present), (7, 0), "{planned:?}");
        assert_eq!(libraries(to).await[0].media, [], "a plan has changed the target");
        let mut calls = 0;
        let report = from.copy_to(to, |_| calls += 1).await.unwrap();
        assert_eq!((report.clone(), calls), (planned, 7));
        assert!(report.is_complete());
        assert_eq!(libraries(to).await, before);
        let found = to.verify().await.unwrap();
        assert!(found.is_sound() && found.strays == 0, "{found:?}");
        assert_eq!(found.checked, 5);

        let again = from.copy_to(to, |_| {}).await.unwrap();
        assert_eq!((again.copied, again.present), (0, 7), "{again:?}");
        assert_eq!(from.plan_copy_to(to).await.unwrap(), again);
        assert_eq!(libraries(to).await, before);
    }

    // The ids are owned in the same scopes, and the next upload is the newest.
    let [ana, bob, _] = owners();
    let asked = [before[1].media[0].id.clone()];
    for (owner, scope, owned) in
        [(&bob, "post:1", true), (&bob, "other", false), (&ana, "me", false)]
    {
        let scopes = Scopes::of([scope]).unwrap();
        let question = OwnershipQuestion::new(owner, &scopes, &asked);
        assert_eq!(
            second.store.owned(&question).await.unwrap().len(),
            usize::from(owned),
            "{scope}"
        );
    }
    let newest = keep(&second.store, "newest", &ana).await;
    assert_eq!(library(&second.store, &ana).await.media[0], newest);
}

#[tokio::test]
async fn m06_scopes_added_since_the_last_copy_are_added() {
    let (from, to) = (TestStore::new().await, TestStore::new().await);
    let ana = owner("ana");
    keep(&from.store, "bytes", &ana).await;
    from.store.copy_to(&to.store, |_| {}).await.unwrap();
    from.store.upload(&ana, Upload::new("bytes").scope("notes")).await.unwrap();
    from.store.copy_to(&to.store, |_| {}).await.unwrap();
    assert_eq!(libraries(&to.store).await, libraries(&from.store).await);
}

#[tokio::test]
async fn m06_limits_of_the_target_do_not_apply() {
    let from = TestStore::new().await;
    fill(&from.store).await;
    let to = TestStore::with(builder().max_bytes(10).quota(10)).await;
    let report = from.store.copy_to(&to.store, |_| {}).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(libraries(&to.store).await, libraries(&from.store).await);
    let refused = to.store.upload(&owner("ana"), upload("bytes")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "the quota counts copied media");
}

#[tokio::test]
async fn m06_damaged_missing_and_foreign_media_are_reported() {
    let (from, to) = (TestStore::new().await, TestStore::new().await);
    let ana = owner("ana");
    let intact = keep(&from.store, "intact", &ana).await;
    let conflict = keep(&from.store, "in both", &ana).await;
    keep(&to.store, "in both", &ana).await;
    let damaged = keep(&from.store, "damaged", &ana).await;
    let missing = keep(&from.store, "missing", &ana).await;
    for file in from.files("blobs") {
        match fs::read(&file).unwrap().as_slice() {
            b"damaged" => fs::write(&file, "changed").unwrap(),
            b"missing" => fs::remove_file(&file).unwrap(),
            _ => {}
        }
    }
    let planned = from.store.plan_copy_to(&to.store).await.unwrap();
    assert_eq!(planned.missing, std::slice::from_ref(&missing.id));
    let report = from.store.copy_to(&to.store, |_| {}).await.unwrap();
    assert!(!report.is_complete());
    assert_eq!(report.damaged, std::slice::from_ref(&damaged.id));
    assert_eq!(report.missing, std::slice::from_ref(&missing.id));
    assert_eq!(report.conflicts, std::slice::from_ref(&conflict.id));
    assert_eq!(read(&to.store, &intact.id, Rendition::Original).await.unwrap(), "intact");
    for id in [damaged.id, missing.id, conflict.id] {
        assert_eq!(to.store.get(&id).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(to.store.verify().await.unwrap().is_sound());
}

/// The child process that is killed while it copies.
#[tokio::test]
#[ignore = "needs a parent that kills it"]
async fn mover() {
    let (Ok(from), Ok(to)) = (std::env::var(FROM), std::env::var(TO)) else { return };
    let (from, to) = (Store::open(from).await.unwrap(), Store::open(to).await.unwrap());
    let mut copied = 0;
    let report = from.copy_to(&to, |report| {
        if report.copied > copied {
            copied = report.copied;
            say(&format!("copied {copied}"));
        }
    });
    say(&format!("complete {}", report.await.unwrap().is_complete()));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "mover: {line}").unwrap();
    out.flush().unwrap();
}

/// Copies in a child process, which is killed after a number of media. Returns whether it finished before.
fn copy_until(media: usize, from: &Path, to: &Path) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["moving::mover", "--exact", "--ignored", "--nocapture"])
        .envs([(FROM, from), (TO, to)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.filter_map(|line| line.unwrap().strip_prefix("mover: ").map(str::to_owned));
    let last = said.take(media).last();
    child.kill().unwrap();
    child.wait().unwrap();
    last.is_some_and(|line| line == "complete true")
}

#[tokio::test]
async fn m06_a_killed_copy_resumes() {
    let [first, second, third] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let store = builder().open(first.path()).await.unwrap();
    fill(&store).await;
    for number in 0..120_u32 {
        let size = 1 + number as usize * 9_000;
        keep(&store, [&number.to_be_bytes()[..], &vec![3; size]].concat(), &owner("ana")).await;
    }
    let before = libraries(&store).await;
    store.close().await.unwrap();
    drop(store);
    for (from, to) in [(&first, &second), (&second, &third)] {
        let mut kills = 0;
        while !copy_until(25, from.path(), to.path()) {
            kills += 1;
            assert!(kills < 50, "no progress");
        }
        assert!(kills >= 4, "{kills} kills");
        let store = builder().open(to.path()).await.unwrap();
        assert_eq!(libraries(&store).await, before);
        assert!(store.verify().await.unwrap().is_sound());
        assert_eq!(files(&to.path().join("incoming")), [] as [std::path::PathBuf; 0]);
        store.close().await.unwrap();
    }
}
