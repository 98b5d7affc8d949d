//! Crash safety: a child process is killed at random under load.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tower_media::{MediaId, Store, backend::MediaBackend};

use crate::support::{builder, files, keep, owner, read};

/// Environment variable with the folder of the child process.
const FOLDER: &str = "TOWER_MEDIA_CRASH_FOLDER";

/// Number of kills: `CRASHES=300` for more.
fn rounds() -> u64 {
    std::env::var("CRASHES").map_or(25, |rounds| rounds.parse().unwrap())
}

/// Acknowledged media by id, with the byte and the length of their content.
type Acknowledged = HashMap<String, (u8, usize)>;

fn content(byte: u8, length: usize) -> Vec<u8> {
    vec![byte; length]
}

/// The child process that is killed. It uploads and deletes, and reports each operation after its
/// acknowledgement.
#[tokio::test]
#[ignore = "needs a parent that kills it"]
async fn victim() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = Store::open(folder).await.unwrap();
    let ana = owner("ana");
    let work = |lane: u64| {
        let (store, ana) = (store.clone(), ana.clone());
        async move {
            let mut random = StdRng::seed_from_u64(rand::random::<u64>() ^ lane);
            for turn in 0_u64.. {
                let (byte, length) = (random.random(), random.random_range(1..700_000));
                let media = keep(&store, content(byte, length), &ana).await;
                say(&format!("kept {} {byte} {length}", media.id));
                if turn % 4 == 3 {
                    // From here on the media may be deleted.
                    say(&format!("removing {}", media.id));
                    store.delete(&ana, &media.id).await.unwrap();
                    say(&format!("removed {}", media.id));
                }
            }
        }
    };
    futures_util::future::join_all((0..8).map(work).map(tokio::spawn)).await;
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "victim: {line}").unwrap();
    out.flush().unwrap();
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::victim", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child after a number of lines, and returns all its lines.
fn kill_after(lines: usize, mut child: Child) -> Vec<String> {
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while said.len() < lines {
        let line = out.next().expect("the child works until it is killed").unwrap();
        said.extend(line.strip_prefix("victim: ").map(str::to_owned));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Lines written before the kill, except a truncated one.
    said.extend(
        out.map_while(Result::ok).filter_map(|l| l.strip_prefix("victim: ").map(str::to_owned)),
    );
    said
}

fn note(said: &[String], kept: &mut Acknowledged, removed: &mut Vec<String>) {
    for line in said {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["kept", id, byte, length] => {
                kept.insert(id.to_owned(), (byte.parse().unwrap(), length.parse().unwrap()));
            }
            ["removing", id] => drop(kept.remove(id)),
            ["removed", id] => removed.push(id.to_owned()),
            _ => panic!("the child said {line:?}"),
        }
    }
}

#[tokio::test]
async fn r01_r02_acknowledged_uploads_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (mut kept, mut removed) = (Acknowledged::new(), Vec::new());
    let mut random = StdRng::from_seed([7; 32]);
    for round in 0..rounds() {
        let said = kill_after(random.random_range(1..60), start(folder.path()));
        note(&said, &mut kept, &mut removed);

        let store = builder().grace(Duration::ZERO).open(folder.path()).await.unwrap();
        for (id, &(byte, length)) in &kept {
            let id = MediaId::from_trusted(id).unwrap();
            let bytes = read(&store, &id, tower_media::Rendition::Original).await;
            let whole = bytes.is_ok_and(|bytes| bytes == content(byte, length));
            assert!(whole, "round {round}: {id} of {length} bytes was acknowledged");
        }
        for id in &removed {
            let id = MediaId::from_trusted(id).unwrap();
            assert!(store.get(&id).await.is_err(), "round {round}: {id} was removed");
        }
        store.collect_garbage().await.unwrap();
        let found = store.verify().await.unwrap();
        assert!(found.is_sound(), "round {round}: {found:?}");
        assert_eq!(found.strays, 0, "round {round}: garbage of interrupted uploads is left");
        assert!(files(&folder.path().join("incoming")).is_empty());
        let stats = store.stats(&owner("ana")).await.unwrap();
        assert!(stats.count as usize >= kept.len());
        // Keeps the folder small.
        if round % 5 == 4 {
            store.erase_owner(&owner("ana")).await.unwrap();
            store.collect_garbage().await.unwrap();
            assert!(files(&folder.path().join("blobs")).is_empty(), "unreferenced blobs are left");
            kept.clear();
        }
    }
}
