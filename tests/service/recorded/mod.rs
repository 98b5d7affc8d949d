//! The recorded exchanges, made again with the service routes, and every difference explained.

mod compare;
mod exchange;
mod explained;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use axum::{Router, body::to_bytes};
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt as _;
use tower_media::{ErrorKind, MediaBackendExt as _, MediaId};

use self::{
    compare::{Difference, Ours, compare},
    exchange::{Exchange, recording},
    explained::EXPLAINED,
};
use crate::support::{Home, KEY};

/// What ids, hashes and dates of the recordings are with us.
#[derive(Debug, Default)]
pub struct Known {
    texts: BTreeMap<String, String>,
    /// How much later we are, in days and exactly.
    later: Option<(String, String, jiff::SignedDuration)>,
}

impl Known {
    fn translate(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (was, is) in &self.texts {
            text = text.replace(was, is);
        }
        let Some((day, today, later)) = &self.later else { return text };
        // Other dates of the days of the recording are as much later as we are.
        let mut shifted = String::new();
        for piece in text.split_inclusive(['=', '&']) {
            let (bare, end) = match piece.strip_suffix(['=', '&']) {
                Some(bare) => (bare, &piece[bare.len()..]),
                None => (piece, ""),
            };
            let recorded =
                bare.starts_with("2026-11-") && !self.texts.values().any(|is| is == bare);
            shifted += &match bare.parse::<Timestamp>() {
                Ok(time) if recorded => format!("{:.3}", time + *later),
                _ if bare == day => today.clone(),
                _ => bare.to_owned(),
            };
            shifted += end;
        }
        shifted
    }

    fn translate_json(&self, json: Value) -> Value {
        serde_json::from_str(&self.translate(&json.to_string())).unwrap()
    }

    /// Learns from the two answers to an upload.
    fn learn(&mut self, exchange: &Exchange, was: &Value, is: &Value) {
        for field in ["id", "createdAt"] {
            let (was, is) = (was[field].as_str().unwrap(), is[field].as_str().unwrap());
            if was != is {
                self.texts.entry(was.to_owned()).or_insert(is.to_owned());
            }
        }
        if let Some((was, is)) = exchange.file_hashes().filter(|(was, is)| was != is) {
            self.texts.insert(was, is);
        }
        if self.later.is_none() {
            let time =
                |json: &Value| json["createdAt"].as_str().unwrap().parse::<Timestamp>().unwrap();
            let day = |json: &Value| json["createdAt"].as_str().unwrap()[..10].to_owned();
            self.later = Some((day(was), day(is), time(is).duration_since(time(was))));
        }
    }
}

/// What is made on one store, in this order.
const STORES: [&[&str]; 4] = [
    &["setup-lists", "get", "hash", "list", "list-all", "stats", "misc", "health"],
    &["setup-delivery", "file", "transform"],
    &["upload"],
    &["upload-types"],
];

/// Exchanges that cannot be made again, with the reason.
const NOT_MADE: [(&str, &[usize], &str); 4] = [
    ("misc", &[14], "a method that does not exist cannot be sent by this client"),
    ("list", &[30, 31, 32, 33, 34, 35], "the 60 uploads behind it were not recorded"),
    ("list-all", &[79, 80, 81, 82], "the 60 uploads behind it were not recorded"),
    ("list-all", &[83, 84, 85, 86], "the uploads behind it were not recorded"),
];

#[test]
fn the_docs_say_what_differs() {
    let docs = include_str!("../../../src/docs/service.md");
    let rows: Vec<&str> =
        docs.lines().skip_while(|line| *line != "| was | is | why |").skip(2).collect();
    let rows: Vec<&str> = rows.into_iter().take_while(|line| line.starts_with("| ")).collect();
    let expected: Vec<String> =
        EXPLAINED.iter().map(|row| format!("| {} | {} | {} |", row.was, row.is, row.why)).collect();
    assert_eq!(rows, expected);
}

/// Makes every exchange and returns what differs.
async fn replay(topics: &[&'static str]) -> Vec<Difference> {
    let home = Home::new().await;
    let app = home.routes().into_router();
    let mut known = Known::default();
    let mut differences = Vec::new();
    for topic in topics {
        for exchange in recording(topic) {
            let skipped = |(of, seqs, _): &(&str, &[usize], &str)| {
                of == topic && seqs.contains(&exchange.seq)
            };
            if NOT_MADE.iter().any(skipped) {
                continue;
            }
            differences.extend(make(topic, &exchange, &home, &app, &mut known).await);
        }
    }
    differences
}

async fn make(
    topic: &'static str,
    exchange: &Exchange,
    home: &Home,
    app: &Router,
    known: &mut Known,
) -> Vec<Difference> {
    let what = format!("{topic} {}: {}", exchange.seq, exchange.name);
    let was = exchange.answer().unwrap_or_else(|| panic!("{what} has no answer"));
    let request = exchange.request(known, KEY).unwrap_or_else(|| panic!("{what} cannot be asked"));
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
    let is = Ours { status: parts.status.as_u16(), headers: parts.headers, body };
    if (was.status, is.status) == (201, 201) {
        let was = serde_json::from_str(was.text.as_ref().unwrap()).unwrap();
        let is = serde_json::from_slice(&is.body).unwrap();
        known.learn(exchange, &was, &is);
        processed(home, &is).await;
        next_millisecond();
    }
    compare(topic, exchange, was, &is, known)
}

/// Waits until processing is over, so that nothing depends on how long it takes.
async fn processed(home: &Home, media: &Value) {
    let id = MediaId::from_trusted(media["id"].as_str().unwrap()).unwrap();
    let processed = home.store.wait_until_ready(&id, Duration::from_secs(600)).await;
    if let Err(error) = processed {
        assert_eq!(error.kind(), ErrorKind::Failed);
    }
}

/// Waits until what is uploaded next has another date: recorded dates differ too.
fn next_millisecond() {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let begin = now();
    while now() == begin {
        std::hint::spin_loop();
    }
}

#[tokio::test]
async fn every_difference_from_the_recorded_service_is_explained_and_every_explanation_is_needed() {
    let mut differences = Vec::new();
    for topics in STORES {
        differences.extend(replay(topics).await);
    }
    let mut needed = BTreeSet::new();
    let mut unexplained = Vec::new();
    for difference in &differences {
        match EXPLAINED.iter().position(|explained| (explained.covers)(difference)) {
            Some(row) => {
                needed.insert(row);
            }
            None => unexplained.push(difference),
        }
    }
    for (row, explained) in EXPLAINED.iter().enumerate() {
        let covered = differences.iter().filter(|difference| {
            EXPLAINED.iter().position(|explained| (explained.covers)(difference)) == Some(row)
        });
        println!(
            "{:4} | {} | {} | {}",
            covered.count(),
            explained.was,
            explained.is,
            explained.why
        );
    }
    for difference in &unexplained {
        println!(
            "UNEXPLAINED {} {} {} {} {}: {}: {} -> {}",
            difference.topic,
            difference.seq,
            difference.method,
            difference.path,
            difference.query,
            difference.field,
            difference.was,
            difference.is
        );
    }
    assert_eq!(unexplained.len(), 0, "of {} differences", differences.len());
    let idle = EXPLAINED.iter().enumerate().filter(|(row, _)| !needed.contains(row));
    let idle: Vec<_> = idle.map(|(_, explained)| explained.was).collect();
    assert!(idle.is_empty(), "explained and not found any more: {idle:?}");
}
