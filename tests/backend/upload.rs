//! Uploads that fail, are cancelled, or have unsafe file names.

use std::{convert::Infallible, future, io};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tower_media::{
    Error, ErrorKind, MediaState, Owner, Rendition, Upload,
    media::{ListOptions, MediaStats, MediaStatus},
};

use super::support::owner;

async fn has_nothing(media: &MediaState, owner: &Owner) {
    assert_eq!(media.list(owner, &ListOptions::new()).await.unwrap().items, []);
    assert_eq!(media.stats(owner).await.unwrap(), MediaStats::default());
}

#[tokio::test]
async fn p10_a_cancelled_upload_leaves_nothing() {
    let (media, ana) = (MediaState::in_memory(), owner("ana"));
    let piece = stream::once(future::ready(Ok::<_, Infallible>(Bytes::from_static(b"half"))));
    let endless = piece.chain(stream::pending());
    let mut upload = Box::pin(media.upload(&ana, Upload::from_stream(endless).scope("me")));
    for _ in 0..3 {
        assert!(upload.as_mut().now_or_never().is_none());
        has_nothing(&media, &ana).await;
    }
    drop(upload);
    has_nothing(&media, &ana).await;
}

#[tokio::test]
async fn p10_a_failed_upload_leaves_nothing_and_names_the_cause() {
    let (media, ana) = (MediaState::in_memory(), owner("ana"));
    let upload = |error| {
        let pieces = [Ok(Bytes::from_static(b"half")), Err(error)];
        Upload::from_stream(stream::iter(pieces)).scope("me")
    };
    let reset: Box<dyn std::error::Error + Send + Sync> =
        io::Error::from(io::ErrorKind::ConnectionReset).into();
    let error = media.upload(&ana, upload(reset)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "the upload ended before all of its bytes arrived");
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.downcast_ref::<io::Error>().is_some());

    // An error of this crate keeps its kind.
    let limit = Error::new(ErrorKind::TooLarge, "too much");
    let error = media.upload(&ana, upload(limit.into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    has_nothing(&media, &ana).await;
}

#[tokio::test]
async fn p10_an_upload_beyond_the_limit_leaves_nothing() {
    let (media, ana) = (MediaState::in_memory(), owner("ana"));
    let piece = Bytes::from(vec![0; 1 << 20]);
    // The chunk after the limit panics if it is read.
    let pieces = stream::iter(0..).map(move |n| match n {
        0..=100 => Ok::<_, Infallible>(piece.clone()),
        _ => panic!("read beyond the limit"),
    });
    let error = media.upload(&ana, Upload::from_stream(pieces).scope("me")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    has_nothing(&media, &ana).await;
}

#[tokio::test]
async fn p09_a_file_name_is_sanitized_at_upload() {
    let (media, ana) = (MediaState::in_memory(), owner("ana"));
    let long = "a".repeat(10_000);
    for (n, (given, shown)) in [
        ("cat.png", Some("cat.png")),
        ("../../etc/passwd", Some("passwd")),
        (r"C:\Users\ana\cat.png", Some("cat.png")),
        ("cat\r\nSet-Cookie: a=b.png", Some("catSet-Cookie: a=b.png")),
        ("cat\0.png", Some("cat.png")),
        ("cat\u{202e}gnp.exe", Some("catgnp.exe")),
        ("\u{200b}\u{feff}", None),
        ("..", None),
        ("", None),
        (&long, Some(&long[..255])),
    ]
    .into_iter()
    .enumerate()
    {
        let upload = Upload::new(format!("{n}")).file_name(given).scope("me");
        let uploaded = media.upload(&ana, upload).await.unwrap();
        assert_eq!(uploaded.file_name.as_deref(), shown, "{given:?}");
        let got = media.get(&uploaded.id).await.unwrap();
        assert_eq!(got.file_name.as_deref(), shown, "{given:?}");
        assert!(!got.urls.original.contains("cat"), "the name is part of the URL");
    }
}

#[tokio::test]
async fn g16_file_names_and_bytes_stay_out_of_logs() {
    let upload = || Upload::new("secret bytes").file_name("secret.png").content_type("secret/type");
    let parts = upload().scope("me").into_parts().unwrap();
    for shown in [format!("{:?}", upload()), format!("{parts:?}"), format!("{:?}", parts.body)] {
        assert!(!shown.contains("secret"), "{shown}");
    }
    let media = MediaState::in_memory();
    media.upload(&owner("ana"), upload().scope("me")).await.unwrap();
    assert!(!format!("{media:?}").contains("secret"), "{media:?}");
}

#[tokio::test]
async fn p04_the_bytes_decide_the_type_not_the_hint() {
    let (media, ana) = (MediaState::in_memory(), owner("ana"));
    for (bytes, hint, mime_type) in [
        (&include_bytes!("../fixtures/images/one-pixel.png")[..], "text/html", "image/png"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/jpeg", "image/png"),
        (b"GIF89a=1;/*", "text/html", "image/gif"),
        (b"plain", "text/plain", "text/plain"),
        (b"just text", "image/png", "application/octet-stream"),
        (b"more text", "no type", "application/octet-stream"),
    ] {
        let upload = Upload::new(bytes).content_type(hint).scope("me");
        let uploaded = media.upload(&ana, upload).await.unwrap();
        assert_eq!(uploaded.mime_type, mime_type, "{hint}");
        let is_broken = mime_type.starts_with("image/") && bytes.len() < 20;
        assert_eq!(uploaded.status == MediaStatus::Failed, is_broken, "{mime_type}");
        let download = media.download(&uploaded.id, Rendition::Original).await.unwrap();
        assert_eq!(download.content_type(), mime_type);
    }
}

#[tokio::test]
async fn p15_another_owners_hint_does_not_decide_the_type() {
    let media = MediaState::in_memory();
    let upload = async |subject, hint| {
        let upload = Upload::new("same").content_type(hint).scope("me");
        media.upload(&owner(subject), upload).await.unwrap().mime_type
    };
    assert_eq!(upload("ana", "text/x-ana").await, "text/x-ana");
    assert_eq!(upload("bob", "text/plain").await, "text/plain");
}
