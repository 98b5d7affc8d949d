//! `server migrate`: copies all media to another store.

use std::time::{Duration, Instant};

use tower_media::store::CopyReport;

use crate::{Result, place::Place, verify};

/// The interval of progress lines.
const PROGRESS: Duration = Duration::from_secs(1);

/// Copies all media, and verifies the target. A dry run only reports what would be copied, and changes nothing.
pub(crate) async fn run(from: &Place, to: &Place, dry_run: bool) -> Result<()> {
    let source = from.open_existing().await?;
    if dry_run {
        // A target that is missing stays missing.
        let empty = tempfile::tempdir()?;
        let target = match to.exists() {
            true => to.open().await?,
            false => Place::folder(empty.path()).open().await?,
        };
        let plan = source.plan_copy_to(&target).await?;
        println!("would copy {}", described(&plan));
        target.close().await?;
        source.close().await?;
        return finished(&plan);
    }
    let target = to.open().await?;
    let mut last = Instant::now();
    let report = source
        .copy_to(&target, |report| {
            if last.elapsed() >= PROGRESS {
                last = Instant::now();
                println!("copied {}", described(report));
            }
        })
        .await?;
    println!("copied {}", described(&report));
    source.close().await?;
    let verified = verify::report(&target).await;
    target.close().await?;
    finished(&report)?;
    verified
}

fn described(report: &CopyReport) -> String {
    let CopyReport { copied, bytes, present, .. } = report;
    format!("{copied} media with {bytes} bytes; {present} were there already")
}

/// Lists the media that are not copied.
fn finished(report: &CopyReport) -> Result<()> {
    for (ids, reason) in [
        (&report.damaged, "its bytes do not match their hash"),
        (&report.missing, "its bytes are missing"),
        (
            &report.conflicts,
            "the target has other media with this id, or these bytes under another id",
        ),
    ] {
        for id in ids {
            println!("not copied: {id}: {reason}");
        }
    }
    match report.is_complete() {
        true => Ok(()),
        false => Err("some media cannot be copied; see above".into()),
    }
}
