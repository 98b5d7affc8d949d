//! Fair shares of image work (promise P17): one owner requests 70 thumbnails of 49 megapixels at once, and three
//! other owners request one each.
//!
//! ```sh
//! cargo bench --bench fair_shares
//! ```
//!
//! `first in, first out` is one queue for all owners, which the fair queue is for the work of a single owner.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a bench")]

#[path = "images/photo.rs"]
mod photo;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::{join, join_all};
use tower_media::{ErrorKind, Owner, backend::ImageLimits, media::Variant, testkit::Images};

const FLOOD: usize = 70;
const OTHERS: usize = 3;

/// Latencies of answered requests, and the number of refused ones.
#[derive(Default)]
struct Outcome {
    answered: Vec<Duration>,
    refused: usize,
}

impl Outcome {
    fn row(&mut self, queue: &str, owners: &str) -> String {
        self.answered.sort();
        let rank = |share: f64| {
            let last = self.answered.len().checked_sub(1)?;
            self.answered.get((last as f64 * share).round() as usize)
        };
        let at = |share| rank(share).map_or("–".to_owned(), |time| format!("{time:.1?}"));
        let answered = self.answered.len();
        format!(
            "| {queue} | {owners} | {answered} | {} | {} | {} |",
            self.refused,
            at(0.5),
            at(0.99)
        )
    }
}

async fn request(images: Images, photo: Bytes) -> Option<Duration> {
    let begin = Instant::now();
    match images.make(photo, &[Variant::Thumbnail.into()]).await {
        Ok(_) => Some(begin.elapsed()),
        Err(error) if error.kind() == ErrorKind::Unavailable => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// Runs all requests at once; those of the other owners arrive last.
async fn round(images: &[Images], photo: &Bytes, outcomes: &mut [Outcome; 2]) {
    let ask = |n: usize| tokio::spawn(request(images[n % images.len()].clone(), photo.clone()));
    let flood: Vec<_> = (0..FLOOD).map(|_| ask(0)).collect();
    tokio::task::yield_now().await;
    let others: Vec<_> = (1..=OTHERS).map(ask).collect();
    let (flood, others) = join(join_all(flood), join_all(others)).await;
    for (outcome, times) in outcomes.iter_mut().zip([flood, others]) {
        for time in times {
            match time.unwrap() {
                Some(time) => outcome.answered.push(time),
                None => outcome.refused += 1,
            }
        }
    }
}

#[tokio::main]
async fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 10 } else { 1 };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("photo-49.jpg");
    if !path.exists() {
        fs::write(&path, photo::jpeg(7_000, 7_000)).unwrap();
    }
    let photo = Bytes::from(fs::read(path).unwrap());
    let limits = ImageLimits::new();
    let budget = limits.pixel_budget();
    let one_queue = limits.clone().with_pixel_budget_per_owner(budget).with_max_waiting(64);
    let one_queue = vec![Images::new(one_queue)];
    let fair = Images::new(limits);
    let owner = |n| Owner::new(format!("owner-{n}")).unwrap();
    let fair = (0..=OTHERS).map(|n| fair.of_owner(owner(n))).collect();
    println!("| queue | owners | answered | refused (503) | p50 | p99 |");
    println!("|---|---|---|---|---|---|");
    for (name, images) in [("first in, first out", one_queue), ("fair", fair)] {
        let mut outcomes = <[Outcome; 2]>::default();
        for _ in 0..rounds {
            round(&images, &photo, &mut outcomes).await;
        }
        for (outcome, owners) in outcomes.iter_mut().zip(["the one", "the three others"]) {
            println!("{}", outcome.row(name, owners));
        }
    }
}
