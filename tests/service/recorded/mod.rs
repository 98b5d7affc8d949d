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

use std::{collections::BTreeSet, ops::RangeInclusive, pin::Pin, thread};

use tokio::runtime;

use self::{
    difference::Difference,
    exchange::recording,
    explained::{Explained, explained},
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

async fn in_memory(topics: &[&'static str]) -> Stage {
    let mut stage = Stage::in_memory();
    for topic in topics {
        stage.play(topic).await;
    }
    stage
}

/// Replays every exchange, each scene on its own thread.
fn everything() -> Vec<Stage> {
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
    let play = |scene: fn() -> Played| {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scene())
    };
    thread::scope(|scope| {
        let playing = scenes.map(|scene| scope.spawn(move || play(scene)));
        playing.into_iter().map(|scene| scene.join().unwrap()).collect()
    })
}

#[test]
#[cfg_attr(
    any(feature = "heic", feature = "avif"),
    ignore = "the table describes a server without these features"
)]
fn every_difference_is_explained_and_every_explanation_needed() {
    let stages = everything();
    let differences: Vec<&Difference> =
        stages.iter().flat_map(|stage| &stage.differences).collect();
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
    let needed: BTreeSet<usize> = differences.iter().filter_map(|found| row_of(found)).collect();
    let idle: Vec<&str> = rows
        .iter()
        .enumerate()
        .filter(|(row, _)| !needed.contains(row))
        .map(|(_, explained)| explained.was)
        .collect();
    assert_eq!(unexplained, 0, "of {} differences", differences.len());
    assert!(idle.is_empty(), "explained, but not found: {idle:?}");

    let made: BTreeSet<(&str, usize)> =
        stages.iter().flat_map(|stage| &stage.made).copied().collect();
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
fn the_docs_list_every_difference() {
    let docs = include_str!("../../../src/docs/service.md");
    let rows: Vec<&str> = docs
        .lines()
        .skip_while(|line| *line != "| original service | these routes | reason |")
        .skip(2)
        .collect();
    let rows: Vec<&str> = rows.into_iter().take_while(|line| line.starts_with("| ")).collect();
    let expected: Vec<String> = explained()
        .iter()
        .map(|row| format!("| {} | {} | {} |", row.was, row.is, row.why))
        .collect();
    assert_eq!(rows, expected);
}
