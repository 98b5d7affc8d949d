//! Renditions of a photograph of 12 megapixels, compared with sharp (libvips) if it is installed.
//!
//! ```sh
//! npm install --prefix benches/sharp
//! cargo bench --bench images                  # on all cores
//! taskset -c 0 cargo bench --bench images     # on one
//! ```
//!
//! sharp runs in another process during the same run and measures itself, with the fastest of its
//! pipelines on this machine. Peak memory is measured in separate processes. The renditions of both remain
//! in the target folder for comparison.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a bench")]

#[path = "images/photo.rs"]
mod photo;
#[path = "images/sharp.rs"]
mod sharp;

use std::{fs, path::Path, process::Command, time::Duration};

use bytes::Bytes;
use criterion::Criterion;
use tokio::runtime::Runtime;
use tower_media::{
    Rendition,
    backend::ImageLimits,
    media::{Transform, Variant},
    testkit::Images,
};

use sharp::Sharp;

const PEAK: &str = "IMAGES_PEAK_OF";

fn jobs() -> [(&'static str, Vec<Rendition>); 2] {
    let variants = Variant::ALL.map(Rendition::from).to_vec();
    [("variants", variants), ("w800", vec![Transform::new().with_width(800).into()])]
}

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let picture = folder.join("photo.jpg");
    if !picture.exists() {
        fs::write(&picture, photo::jpeg(4000, 3000)).unwrap();
    }
    if let Ok(job) = std::env::var(PEAK) {
        return peak(&picture, &job);
    }

    let runtime = Runtime::new().unwrap();
    let images = Images::new(ImageLimits::new());
    let bytes = Bytes::from(fs::read(&picture).unwrap());
    let mut sharp = Sharp::start(&picture);
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(8))
        .configure_from_args();
    for (job, renditions) in jobs() {
        let mut group = criterion.benchmark_group(job);
        group.bench_function("tower-media", |bencher| {
            bencher
                .to_async(&runtime)
                .iter(|| async { images.make(bytes.clone(), &renditions).await.unwrap() });
        });
        if let Some(sharp) = &mut sharp {
            group.bench_function("sharp", |bencher| {
                bencher.iter_custom(|times| sharp.take(job, times))
            });
        }
        group.finish();
        let made = runtime.block_on(images.make(bytes.clone(), &renditions)).unwrap();
        let names = if job == "variants" { vec!["thumb", "medium", "large"] } else { vec![job] };
        for (name, rendition) in names.iter().zip(made) {
            fs::write(folder.join(format!("ours-{name}.webp")), rendition).unwrap();
        }
    }
    criterion.final_summary();
    memory(&picture, folder);
}

/// Prints the peak memory of processes that do one job ten times.
fn memory(picture: &Path, folder: &Path) {
    Sharp::write(picture, folder);
    for (job, _) in jobs() {
        let this = std::env::current_exe().unwrap();
        let own = Command::new(this).env(PEAK, job).output().unwrap();
        println!("{job}: peak of tower-media {}", String::from_utf8_lossy(&own.stdout).trim());
        if let Some(mut sharp) = Sharp::start(picture) {
            sharp.take(job, 10);
            println!("{job}: peak of sharp       {}", high_water(sharp.id()));
        }
    }
}

fn peak(picture: &Path, job: &str) {
    let (_, renditions) = jobs().into_iter().find(|(name, _)| *name == job).unwrap();
    let images = Images::new(ImageLimits::new());
    let bytes = Bytes::from(fs::read(picture).unwrap());
    let runtime = Runtime::new().unwrap();
    for _ in 0..10 {
        runtime.block_on(images.make(bytes.clone(), &renditions)).unwrap();
    }
    println!("{}", high_water(std::process::id()));
}

fn high_water(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("unknown here");
    line.to_owned()
}
