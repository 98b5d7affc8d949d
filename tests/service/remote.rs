//! `Remote` as a client of the service routes over a `Store`, on a socket.

use tower_media::{
    ErrorKind, Owner, Remote, Rendition, Store, Upload,
    backend::MediaBackend as _,
    media::{FailureReason, MediaStatus, Variant},
    testkit::conformance,
};

use crate::support::{Home, KEY, Server, get, upload_for};

#[tokio::test]
async fn remote_conforms_over_the_service_routes() {
    let home = Home::with(Store::builder()).await;
    let server = Server::start(home.routes().into_router()).await;
    let public = format!("{}/api/v1", server.url);
    let remote = Remote::builder(&server.url).service_key(KEY).public_url(public).build().unwrap();
    conformance::run(&remote).await;
}

#[tokio::test]
async fn remote_has_the_reason_of_a_failed_image() {
    let home = Home::with(Store::builder()).await;
    let app = home.routes().into_router();
    let server = Server::start(app.clone()).await;
    let remote = Remote::builder(&server.url).service_key(KEY).build().unwrap();
    for (bytes, mime_type, reason) in [
        (
            &include_bytes!("../fixtures/images/garbage.jpg")[..],
            "image/jpeg",
            FailureReason::Unreadable,
        ),
        (
            include_bytes!("../fixtures/images/wide-17000x8.png"),
            "image/png",
            FailureReason::TooLarge,
        ),
    ] {
        let upload = Upload::new(bytes).scope("me");
        let media = remote.upload(&Owner::new("ana").unwrap(), upload).await.unwrap();
        let described = (media.status, &*media.mime_type, media.failure_reason);
        assert_eq!(described, (MediaStatus::Failed, mime_type, Some(reason)));
        assert_eq!(media.urls.thumbnail, None);
        for rendition in [Variant::Thumbnail.into(), Rendition::png(9)] {
            let refused = remote.download(&media.id, &rendition.into()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Failed, "{rendition:?}");
            assert_eq!(refused.failure_reason(), Some(reason), "{rendition:?}");
        }
        let record = upload_for(&app, "ana", bytes).await;
        assert_eq!(record["failureReason"], reason.as_str());
        for (path, status) in [("file/thumb", 404), ("transform?w=9", 422)] {
            let (answered, body) = get(&app, &format!("/{}/{path}", media.id)).await;
            assert_eq!((answered, &body["reason"]), (status, &reason.as_str().into()), "{body}");
        }
    }
}
