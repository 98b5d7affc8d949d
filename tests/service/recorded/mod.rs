//! Replay of the recorded exchanges against the service routes, with an explanation of every difference.
//!
//! `cargo test --test service -- --nocapture recorded` prints all of them.

mod compare;
mod difference;
mod exchange;
mod explained;
mod faults;
mod known;
mod prometheus;
mod scenes;
mod stage;

use std::{collections::BTreeSet, ops::RangeInclusive, pin::Pin, sync::LazyLock, thread};

use tokio::runtime;

use self::{
    difference::Difference,
    exchange::recording,
    explained::{Explained, explained, explained_if_compatible},
    stage::Stage,
};
use crate::support::Home;

/// All recordings with their numbers of lines.
const RECORDINGS: [(&str, usize); 23] = [
    ("config", 14),
    ("delete", 18),
    ("file", 68),
    ("get", 23),
    ("hash", 11),
    ("health", 4),
    ("legacy", 9),
    ("limits", 16),
    ("list", 35),
    ("list-all", 86),
    ("lost-object", 10),
    ("metrics", 1),
    ("misc", 17),
    ("outage", 65),
    ("race", 4),
    ("setup-delivery", 78),
    ("setup-lists", 15),
    ("slow-transform", 6),
    ("stats", 3),
    ("transform", 228),
    ("transitions", 18),
    ("upload", 183),
    ("upload-types", 57),
];

/// Exchanges that cannot be replayed, with the reason.
const NOT_MADE: [(&str, &[usize], &str); 2] = [
    ("misc", &[14], "a method that does not exist cannot be sent by this client"),
    ("legacy", &[7, 8, 9], "the store cannot have such a row"),
];

/// Exchanges that are part of a scene.
const ELSEWHERE: [(&str, RangeInclusive<usize>); 2] = [("list", 30..=35), ("list-all", 79..=86)];

fn not_made(topic: &str) -> impl Iterator<Item = usize> {
    NOT_MADE.iter().filter(move |(of, ..)| *of == topic).flat_map(|(_, lines, _)| *lines).copied()
}

type Played = Pin<Box<dyn Future<Output = Stage>>>;

/// Topics that are replayed on one store, in this order; the others are scenes.
const LISTS: &[&str] =
    &["setup-lists", "get", "hash", "list", "list-all", "stats", "misc", "health"];
/// Without `list-all`: an `InMemory` lists images that cannot be decoded, because it has not decoded them.
const LISTED_IN_MEMORY: &[&str] =
    &["setup-lists", "get", "hash", "list", "stats", "misc", "health"];
const DELIVERY: &[&str] = &["setup-delivery", "file", "transform"];

async fn embedded(topics: &[&'static str]) -> Stage {
    let home = Home::new().await;
    let mut stage = Stage::over(&home);
    for topic in topics {
        stage.play(topic).await;
    }
    stage
}

async fn compatible(topics: &[&'static str]) -> Stage {
    let home = Home::new().await;
    let mut stage = Stage::compatible_over(&home);
    for topic in topics {
        stage.play(topic).await;
    }
    stage
}

async fn in_memory(topics: &[&'static str]) -> Stage {
    let mut stage = Stage::in_memory();
    for topic in topics {
        stage.play(topic).await;
    }
    stage
}

/// The differences and the lines of some scenes.
struct Replay {
    differences: Vec<Difference>,
    made: BTreeSet<(&'static str, usize)>,
}

/// The replay of every exchange.
static REPLAY: LazyLock<Replay> = LazyLock::new(|| {
    let scenes: [fn() -> Played; 19] = [
        || Box::pin(embedded(DELIVERY)),
        || Box::pin(embedded(LISTS)),
        || Box::pin(embedded(&["upload"])),
        || Box::pin(embedded(&["upload-types"])),
        || Box::pin(scenes::config()),
        || {
            Box::pin(async {
                let home = Home::new().await;
                scenes::delete(Stage::over(&home)).await
            })
        },
        || Box::pin(scenes::legacy()),
        || Box::pin(scenes::limits()),
        || Box::pin(scenes::lost_object()),
        || Box::pin(scenes::many()),
        || Box::pin(scenes::metrics()),
        || {
            Box::pin(async {
                let home = Home::new().await;
                scenes::race(Stage::over(&home)).await
            })
        },
        || Box::pin(scenes::slow_transform()),
        || Box::pin(faults::outage()),
        || Box::pin(faults::transitions()),
        || Box::pin(in_memory(LISTED_IN_MEMORY)),
        || Box::pin(in_memory(&["upload", "upload-types"])),
        || Box::pin(scenes::delete(Stage::in_memory())),
        || Box::pin(scenes::race(Stage::in_memory())),
    ];
    replay(&scenes)
});

/// Plays each scene on its own thread.
fn replay(scenes: &[fn() -> Played]) -> Replay {
    let play = |scene: fn() -> Played| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let Stage { differences, made, .. } = runtime.block_on(scene());
        (differences, made)
    };
    let stages: Vec<_> = thread::scope(|scope| {
        let playing: Vec<_> =
            scenes.iter().map(|scene| scope.spawn(move || play(*scene))).collect();
        playing.into_iter().map(|scene| scene.join().unwrap()).collect()
    });
    let (differences, made): (Vec<_>, Vec<_>) = stages.into_iter().unzip();
    Replay {
        differences: differences.into_iter().flatten().collect(),
        made: made.into_iter().flatten().collect(),
    }
}

#[test]
#[cfg_attr(
    any(feature = "heic", feature = "avif"),
    ignore = "the table describes a server without these features"
)]
fn every_difference_is_explained_and_every_explanation_needed() {
    let Replay { differences, made } = &*REPLAY;
    let rows = explained();
    let row_of = |found: &Difference| rows.iter().position(|row| (row.covers)(found));
    for (row, Explained { was, is, why, .. }) in rows.iter().enumerate() {
        println!("\n{was} | {is} | {why}");
        differences
            .iter()
            .filter(|found| row_of(found) == Some(row))
            .for_each(|d| println!("  {d}"));
    }
    println!("\nUNEXPLAINED");
    let unexplained = differences.iter().filter(|found| row_of(found).is_none());
    let unexplained = unexplained.inspect(|found| println!("  {found}")).count();
    let needed: BTreeSet<usize> = differences.iter().filter_map(row_of).collect();
    let idle: Vec<&str> = rows
        .iter()
        .enumerate()
        .filter(|(row, _)| !needed.contains(row))
        .map(|(_, explained)| explained.was)
        .collect();
    assert_eq!(unexplained, 0, "of {} differences", differences.len());
    assert!(idle.is_empty(), "explained, but not found: {idle:?}");

    for (topic, count) in RECORDINGS {
        let lines: Vec<usize> = recording(topic).iter().map(|line| line.seq).collect();
        assert_eq!(lines, Vec::from_iter(1..=count), "{topic}");
        let not_made: BTreeSet<usize> = not_made(topic).collect();
        let left: Vec<_> =
            lines.into_iter().filter(|line| !made.contains(&(topic, *line))).collect();
        assert_eq!(
            left,
            Vec::from_iter(not_made),
            "{topic}: only exchanges with a reason are left out"
        );
    }
}

#[test]
#[cfg_attr(
    any(feature = "heic", feature = "avif"),
    ignore = "the table describes a server without these features"
)]
fn compatible_routes_repeat_more_of_the_recordings() {
    let scenes: [fn() -> Played; 4] = [
        || Box::pin(compatible(DELIVERY)),
        || Box::pin(compatible(LISTS)),
        || Box::pin(compatible(&["upload"])),
        || Box::pin(compatible(&["upload-types"])),
    ];
    let compatible = replay(&scenes);
    let (rows, additional) = (explained(), explained_if_compatible());
    println!("WITH COMPATIBLE");
    let unexplained = compatible
        .differences
        .iter()
        .filter(|found| !rows.iter().any(|row| (row.covers)(found)))
        .filter(|found| !additional.iter().any(|row| (row.covers)(found)));
    let unexplained = unexplained.inspect(|found| println!("  {found}")).count();
    assert_eq!(unexplained, 0);
    for Explained { was, covers, .. } in additional {
        assert!(compatible.differences.iter().any(covers), "explained, but not found: {was}");
    }

    // The lines of these topics, over a store in a folder, without such a difference.
    let same = |differences: &[Difference], counts: fn(&Difference) -> bool| {
        let differ = differences.iter().filter(|found| !found.in_memory && counts(found));
        let differ: BTreeSet<_> = differ.map(|found| (found.topic, found.seq)).collect();
        compatible.made.difference(&differ).count()
    };
    // The status in a record is quoted.
    let is_of_response: fn(&Difference) -> bool =
        |found| ["status", "type"].contains(&&*found.field) && !found.is.starts_with('"');
    let any: fn(&Difference) -> bool = |_| true;
    for (what, counts) in [("everything", any), ("status and type", is_of_response)] {
        let (usual, more) =
            (same(&REPLAY.differences, counts), same(&compatible.differences, counts));
        let lines = compatible.made.len();
        println!("{what}: the same in {usual} of {lines} lines, with compatible() in {more}");
        assert!(more > usual, "{what}: {more}, and {usual} without");
    }
}

#[test]
fn the_docs_list_every_difference() {
    let docs = include_str!("../../../src/docs/service.md");
    let rows = |header: &str| -> Vec<&str> {
        let table = docs.lines().skip_while(|line| *line != header).skip(2);
        table.take_while(|line| line.starts_with("| ")).collect()
    };
    let expected = |rows: Vec<&Explained>| -> Vec<String> {
        rows.iter().map(|row| format!("| {} | {} | {} |", row.was, row.is, row.why)).collect()
    };
    assert_eq!(rows("| original service | these routes | reason |"), expected(explained()));
    let header = "| original service | these routes with `compatible` | reason |";
    assert_eq!(rows(header), expected(explained_if_compatible().iter().collect()));
}
