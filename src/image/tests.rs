//! Panics, deadlines, files and admission, which the public API does not show.

use std::{
    io::Read,
    sync::{LazyLock, mpsc},
    task::Poll,
    time::Duration,
};

use super::*;
use crate::media::Variant;

/// A file of `tests/fixtures/images`.
fn fixture(name: &str) -> Bytes {
    let path = format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into()
}

fn ana() -> &'static Owner {
    static ANA: LazyLock<Owner> = LazyLock::new(|| Owner::new("ana").expect("a valid owner"));
    &ANA
}

fn processor() -> ImageProcessor {
    ImageProcessor::new(ImageLimits::new().with_timeout(Duration::from_secs(120)))
}

#[tokio::test]
async fn p03_a_decoder_panic_is_an_error_and_the_next_call_works() {
    let processor = processor();
    let panicked = processor.off_thread(|_| -> Result<()> { panic!("a decoder's fault") }).await;
    assert_eq!(panicked.expect_err("it panicked").kind(), ErrorKind::Failed);
    let source = ImageSource::Bytes(fixture("quad-noexif.jpg"));
    processor
        .render(ana(), source, &[Variant::Thumbnail.into()])
        .await
        .expect("the next is served");
}

#[tokio::test]
async fn p03_a_panic_returns_its_part_of_the_budget() {
    let limits = ImageLimits::new().with_pixel_budget(10).with_max_waiting(0);
    let processor = ImageProcessor::new(limits);
    for _ in 0..3 {
        let permit = processor
            .admission
            .admit_pixels(ana(), 10, Duration::ZERO)
            .await
            .expect("there is room");
        let work = move |_| -> Result<()> {
            let _permit = permit;
            panic!("a decoder's fault")
        };
        processor.off_thread(work).await.expect_err("it panicked");
    }
}

#[tokio::test]
async fn p02_a_full_queue_is_unavailable() {
    let limits = ImageLimits::new().with_pixel_budget(100).with_max_waiting(1);
    let admission = Admission::new(&limits);
    let first = admission
        .admit_pixels(ana(), 1_000, Duration::ZERO)
        .await
        .expect("a larger one comes alone");
    let mut second = Box::pin(admission.admit_pixels(ana(), 60, Duration::MAX));
    assert!(futures_util::poll!(&mut second).is_pending());
    let third = futures_util::poll!(Box::pin(admission.admit_pixels(ana(), 1, Duration::MAX)));
    let Poll::Ready(Err(refused)) = third else { panic!("the queue is full: {third:?}") };
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    drop(first);
    second.await.expect("the first one is done");
}

#[tokio::test(start_paused = true)]
async fn p02_waiting_for_admission_is_bounded_in_time() {
    let admission = Admission::new(&ImageLimits::new().with_pixel_budget(100));
    let _all = admission.admit_pixels(ana(), 100, Duration::ZERO).await.expect("there is room");
    let late = admission.admit_pixels(ana(), 100, Duration::from_secs(8)).await;
    assert_eq!(late.expect_err("the budget is in use").kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn p02_a_dropped_call_keeps_its_budget_until_the_work_ends() {
    let processor =
        ImageProcessor::new(ImageLimits::new().with_pixel_budget(10).with_max_waiting(0));
    let permit =
        processor.admission.admit_pixels(ana(), 10, Duration::ZERO).await.expect("there is room");
    let (end, ended) = mpsc::channel::<()>();
    let mut work = Box::pin(processor.off_thread(move |_| {
        let _permit = permit;
        let _ = ended.recv();
        Ok(())
    }));
    assert!(futures_util::poll!(&mut work).is_pending());
    drop(work);
    let next = processor.admission.admit_pixels(ana(), 10, Duration::ZERO).await;
    assert_eq!(next.expect_err("the work is still running").kind(), ErrorKind::Unavailable);
    drop(end);
}

#[test]
fn p02_a_decoder_that_keeps_reading_stops_at_the_deadline() {
    let endless = ImageSource::Bytes(vec![0; 1 << 20].into());
    let mut input = input::open(&endless, Deadline(Instant::now())).expect("bytes can be opened");
    let byte_by_byte = input.by_ref().bytes().find_map(|byte| byte.err());
    let error = byte_by_byte.expect("it is stopped before the end");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(input::failed(input::deadline(&input), error).kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn p04_the_file_extension_is_ignored() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in
        ["quad-noexif.jpg", "exif.png", "static.gif", "lossy.webp", "drawing.svg", "text.txt"]
    {
        let bytes = fixture(name);
        let by_bytes = processor()
            .read_info(ana(), ImageSource::Bytes(bytes.clone()))
            .await
            .expect("it is read");
        for ending in ["jpg", "png", "gif", "webp", "svg", "html", "exe", ""] {
            let path = folder.path().join(format!("image.{ending}"));
            std::fs::write(&path, &bytes).expect("a file");
            let source = ImageSource::File(path);
            let by_file = processor().read_info(ana(), source.clone()).await.expect("it is read");
            assert_eq!(by_file, by_bytes, "{name} as .{ending}");
            let rendered = processor().render(ana(), source, &[Rendition::png(32)]).await;
            assert_eq!(rendered.is_ok(), by_bytes.is_some(), "{name} as .{ending}");
        }
    }
}

#[tokio::test]
async fn a_missing_file_is_not_a_broken_image() {
    let source = ImageSource::File("no/such/image".into());
    let error = processor().read_info(ana(), source).await.expect_err("the file is missing");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
