//! Uploads from files and from borrowed streams.

use std::{convert::Infallible, future, path::Path};

use axum::{
    Router,
    body::Body,
    extract::Multipart,
    http::{Request, StatusCode, header},
    response::IntoResponse as _,
    routing::post,
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tower::ServiceExt as _;
use tower_media::{ErrorKind, Media, MediaState, Owner, Rendition, Upload, media::ListOptions};

use super::support::owner;

async fn listed(media: &MediaState, owner: &Owner) -> Vec<Media> {
    media.list(owner, &ListOptions::new()).await.unwrap().items
}

/// Uploads the first file of a form.
async fn take(media: MediaState, mut form: Multipart) -> Result<Media, StatusCode> {
    let field = form.next_field().await.map_err(|error| error.status())?;
    let field = field.ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    let name = field.file_name().unwrap_or_default().to_owned();
    let upload = Upload::default().file_name(name).scope("me");
    media.upload_from(&owner("ana"), field, upload).await.map_err(|error| error.kind().status())
}

async fn send(media: &MediaState, form: impl Into<Body>) -> StatusCode {
    let app = Router::new().route("/", post(take)).layer(media.layer());
    let request =
        Request::post("/").header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
    app.oneshot(request.body(form.into()).unwrap()).await.unwrap().status()
}

const HEAD: &str =
    "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n\r\n";

#[tokio::test]
async fn a_multipart_field_is_uploaded_as_a_stream() {
    let media = MediaState::in_memory();
    let piece = |text: String| Ok::<_, Infallible>(Bytes::from(text));
    let numbers = (0..10_000).map(|n| format!("{n},")).collect::<Vec<_>>();
    let whole = numbers.concat();
    let pieces: Vec<_> =
        [HEAD.to_owned()].into_iter().chain(numbers).chain(["\r\n--x--\r\n".to_owned()]).collect();
    let body = Body::from_stream(stream::iter(pieces.into_iter().map(piece)));
    assert_eq!(send(&media, body).await, StatusCode::OK);
    let [stored] = &listed(&media, &owner("ana")).await[..] else { panic!("not one") };
    assert_eq!(stored.file_name.as_deref(), Some("cat.png"));
    let download = media.download(&stored.id, Rendition::Original).await.unwrap();
    assert_eq!(download.into_bytes(1 << 20).await.unwrap(), whole);
}

#[tokio::test]
async fn p10_a_truncated_field_leaves_nothing() {
    let media = MediaState::in_memory();
    assert_eq!(send(&media, format!("{HEAD}half of it")).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(listed(&media, &owner("ana")).await, []);
}

#[tokio::test]
async fn p10_a_cancelled_borrowed_upload_leaves_nothing() {
    let (media, ana) = (MediaState::in_memory(), owner("ana"));
    let text = String::from("half");
    let pieces = stream::once(future::ready(Ok::<_, Infallible>(Bytes::from(text.clone()))));
    let pieces = pieces.chain(stream::pending()).inspect(|_| assert_eq!(text, "half"));
    let upload = Upload::default().scope("me");
    let mut storing = Box::pin(media.upload_from(&ana, pieces, upload));
    for _ in 0..3 {
        assert!(storing.as_mut().now_or_never().is_none());
    }
    drop(storing);
    assert_eq!(listed(&media, &ana).await, []);
}

#[tokio::test]
async fn a_refused_upload_does_not_read_borrowed_bytes() {
    let media = MediaState::in_memory();
    let endless = stream::repeat(Ok::<_, Infallible>(Bytes::from_static(b"more")));
    let error = media
        .upload_from(&owner("ana"), endless, Upload::default().scope("a,b"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// Returns a unique path.
fn temporary(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("tower-media-{}-{name}", std::process::id()))
}

async fn upload(media: &MediaState, path: &Path) -> tower_media::Result<Media> {
    media.upload(&owner("ana"), Upload::from_path(path).scope("me")).await
}

#[tokio::test]
async fn a_file_is_uploaded_without_its_name() {
    let (media, path) = (MediaState::in_memory(), temporary("whole"));
    for size in [0, 1, 65_536, 65_537, 300_000] {
        let bytes: Vec<u8> = (0..size).map(|n: u32| (n / 7) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let stored = upload(&media, &path).await.unwrap();
        assert_eq!(stored.file_name, None);
        let download = media.download(&stored.id, Rendition::Original).await.unwrap();
        assert!(download.into_bytes(1 << 20).await.unwrap() == bytes, "{size} bytes");
    }
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn g16_the_error_of_an_unreadable_file_has_no_path() {
    let (media, path) = (MediaState::in_memory(), temporary("secret"));
    for path in [path.as_path(), &std::env::temp_dir(), Path::new("")] {
        let error = upload(&media, path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let shown = path.to_str().filter(|shown| !shown.is_empty()).unwrap_or("secret");
        assert!(!format!("{error:?}").contains(shown), "{error:?}");
        let upload = format!("{:?}", Upload::from_path(path));
        assert!(!upload.contains(shown), "{upload}");
        let response = error.into_response();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(!body.contains(shown), "{body}");
    }
    assert_eq!(listed(&media, &owner("ana")).await, []);
}
