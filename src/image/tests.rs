//! What cannot be seen from outside: panics, deadlines, files and places in the queue.

use std::{io::Read, sync::mpsc, task::Poll, time::Duration};

use super::*;
use crate::media::Variant;

/// A file of `tests/fixtures/images`.
fn fixture(name: &str) -> Bytes {
    let path = format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

fn door() -> ImageProcessor {
    ImageProcessor::new(ImageLimits::new().with_timeout(Duration::from_secs(120)))
}

#[tokio::test]
async fn p03_a_panic_of_a_decoder_is_an_error_and_the_next_is_served() {
    let door = door();
    let panicked = door.off_thread(|_| -> Result<()> { panic!("a decoder's fault") }).await;
    assert_eq!(panicked.expect_err("it panicked").kind(), ErrorKind::Failed);
    let source = ImageSource::Bytes(fixture("quad-noexif.jpg"));
    door.render(source, &[Variant::Thumbnail.into()]).await.expect("the next is served");
}

#[tokio::test]
async fn p03_a_panic_gives_its_part_of_the_budget_back() {
    let limits = ImageLimits::new().with_pixel_budget(10).with_max_waiting(0);
    let door = ImageProcessor::new(limits);
    for _ in 0..3 {
        let part = door.admission.enter(10, Duration::ZERO).await.expect("there is room");
        let work = move |_| -> Result<()> {
            let _part = part;
            panic!("a decoder's fault")
        };
        door.off_thread(work).await.expect_err("it panicked");
    }
}

#[tokio::test]
async fn p02_who_finds_the_queue_full_is_told_to_come_back() {
    let limits = ImageLimits::new().with_pixel_budget(100).with_max_waiting(1);
    let admission = Admission::new(&limits);
    let first = admission.enter(1_000, Duration::ZERO).await.expect("a larger one comes alone");
    let mut second = Box::pin(admission.enter(60, Duration::MAX));
    assert!(futures_util::poll!(&mut second).is_pending());
    let third = futures_util::poll!(Box::pin(admission.enter(1, Duration::MAX)));
    let Poll::Ready(Err(refused)) = third else { panic!("the queue is full: {third:?}") };
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    drop(first);
    second.await.expect("the first one left");
}

#[tokio::test(start_paused = true)]
async fn p02_nobody_waits_for_ever() {
    let admission = Admission::new(&ImageLimits::new().with_pixel_budget(100));
    let _all = admission.enter(100, Duration::ZERO).await.expect("there is room");
    let late = admission.enter(100, Duration::from_secs(8)).await;
    assert_eq!(late.expect_err("no room came free").kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn p02_a_caller_who_leaves_does_not_free_what_is_still_worked_on() {
    let door = ImageProcessor::new(ImageLimits::new().with_pixel_budget(10).with_max_waiting(0));
    let part = door.admission.enter(10, Duration::ZERO).await.expect("there is room");
    let (end, ended) = mpsc::channel::<()>();
    let mut work = Box::pin(door.off_thread(move |_| {
        let _part = part;
        let _ = ended.recv();
        Ok(())
    }));
    assert!(futures_util::poll!(&mut work).is_pending());
    drop(work);
    let next = door.admission.enter(10, Duration::ZERO).await;
    assert_eq!(next.expect_err("it is worked on yet").kind(), ErrorKind::Unavailable);
    drop(end);
}

#[test]
fn p02_a_decoder_that_reads_on_is_stopped_at_the_deadline() {
    let endless = ImageSource::Bytes(vec![0; 1 << 20].into());
    let mut input = input::open(&endless, Deadline(Instant::now())).expect("bytes can be opened");
    let byte_by_byte = input.by_ref().bytes().find_map(|byte| byte.err());
    let error = byte_by_byte.expect("it is stopped before the end");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(input::failed(input::deadline(&input), error).kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn p04_the_ending_of_a_file_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in
        ["quad-noexif.jpg", "exif.png", "static.gif", "lossy.webp", "drawing.svg", "text.txt"]
    {
        let bytes = fixture(name);
        let by_bytes = door().probe(ImageSource::Bytes(bytes.clone())).await.expect("it is read");
        for ending in ["jpg", "png", "gif", "webp", "svg", "html", "exe", ""] {
            let path = folder.path().join(format!("picture.{ending}"));
            std::fs::write(&path, &bytes).expect("a file");
            let source = ImageSource::File(path);
            let by_file = door().probe(source.clone()).await.expect("it is read");
            assert_eq!(by_file, by_bytes, "{name} as .{ending}");
            let rendered = door().render(source, &[Rendition::png(32)]).await;
            assert_eq!(rendered.is_ok(), by_bytes.is_some(), "{name} as .{ending}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_no_broken_picture() {
    let source = ImageSource::File("no/such/picture".into());
    let error = door().probe(source).await.expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
