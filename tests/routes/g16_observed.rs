//! G16: logs and metrics of the routes carry no secrets and no file names, and labels are bounded.

use std::collections::BTreeMap;

use axum::{Router, http::StatusCode};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tower_media::{ErrorKind, Rendition, media::Variant, routes::UploadPolicy, testkit::Fault};

use super::{
    log::Log,
    support::{Form, World, ana, anonymous, file, get, png, send, signed_in},
};

const NAME: &str = "somebodys-holiday.png";

/// One request for each kind of response.
async fn requests() {
    let world = World::new();
    let id = world.store(&world.ana, png(500), NAME).await;
    let note = world.store(&world.ana, "a note", "note.txt").await;
    let policy = UploadPolicy::images().scope("me").max_bytes(1000);
    let routes = world.media.delivery_routes().merge(world.media.upload_routes("/up", policy));
    let app: Router = signed_in(routes);
    let path = format!("/media/{id}/file");
    for (request, status) in [
        (ana(&path), 200),
        (ana(&path).header("range", "bytes=0-0"), 206),
        (ana(&path).header("if-none-match", "*"), 304),
        (ana(&path).header("if-match", "\"x\""), 412),
        (ana(&path).header("range", "bytes=500-"), 416),
        (anonymous(world.link(&id, Rendition::Original)), 200),
        (anonymous(world.link(&note, Variant::Thumbnail)), 415),
    ] {
        assert_eq!(get(&app, request).await.status.as_u16(), status);
    }
    let upload = |length| Form::new().with(file(NAME, &png(length)));
    for (request, status) in [
        (upload(600).by("ana"), 201),
        (upload(1001).by("ana"), 413),
        (upload(600).unsigned(), 401),
        (Form::new().with(file(NAME, b"text")).by("ana"), 415),
        (Form::new().by("ana"), 422),
    ] {
        assert_eq!(send(&app, request).await.status.as_u16(), status);
    }
    world.backend.set(Fault::Fail(ErrorKind::Unavailable));
    let linked = get(&app, anonymous(world.link(&id, Rendition::Original))).await;
    assert_eq!(linked.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(send(&app, upload(700).by("ana")).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn g16_every_answer_is_counted_once_under_a_bounded_label() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(requests());
    });
    let mut counted: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().collect();
        let (1, DebugValue::Counter(count)) = (labels.len(), value) else { continue };
        let label = (labels[0].value().to_owned(), count);
        counted.entry(key.key().name().to_owned()).or_default().push(label);
    }
    counted.values_mut().for_each(|labels| labels.sort());
    let expect = |name: &str, labels: &[(&str, u64)]| {
        let labels: Vec<_> = labels.iter().map(|(label, n)| ((*label).to_owned(), *n)).collect();
        assert_eq!(counted[name], labels, "{name}");
    };
    expect(
        "tower_media_deliveries_total",
        &[
            ("failed", 1),
            ("no_rendition", 1),
            ("not_modified", 1),
            ("part", 1),
            ("precondition_failed", 1),
            ("range_not_satisfiable", 1),
            ("whole", 2),
        ],
    );
    expect(
        "tower_media_uploads_total",
        &[
            ("failed", 1),
            ("file-too-large", 1),
            ("no-file", 1),
            ("not-signed-in", 1),
            ("stored", 1),
            ("unsupported-type", 1),
        ],
    );
}

#[tokio::test]
async fn g16_logs_have_no_file_names_and_no_signatures() {
    let log = Log::of("trace");
    requests().await;
    let text = log.take();
    assert!(text.contains("upload refused") && text.contains("upload failed"), "{text}");
    assert!(!text.contains("holiday") && !text.contains("signature="), "{text}");
}
