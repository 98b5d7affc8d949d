//! `examples/remote.rs` runs against a fake service.

#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../../examples/remote.rs"]
mod remote;

use tower_media::{Owner, Remote};

use super::service::Service;

#[tokio::test]
async fn the_example_uploads_verifies_and_lists() {
    let picture = |name| format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"));
    let service = Service::start().await;
    let ana = Owner::new("ana").unwrap();
    let files = [picture("exif-gps.jpg"), picture("quad-noexif.jpg")];
    let run = async |files: &[String]| {
        remote::run(Remote::builder(&service.url), &ana, files.iter().cloned()).await.unwrap()
    };
    assert_eq!(run(&[]).await, []);
    let listed = run(&files).await;
    let names: Vec<_> = listed.iter().map(|media| media.file_name.as_deref()).collect();
    assert_eq!(names, [Some("quad-noexif.jpg"), Some("exif-gps.jpg")]);
    for (media, file) in listed.iter().rev().zip(&files) {
        assert_eq!(media.size, std::fs::metadata(file).unwrap().len());
    }
}
