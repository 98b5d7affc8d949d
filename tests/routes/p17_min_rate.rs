//! P17: an upload below the minimum rate is ended with 408, on every route that stores a body.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header},
    routing::post,
};
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};
use tower_media::{
    MediaState,
    routes::{PartialUploads, ServiceKeys, UploadPolicy, UploadRejection, UploadRoutes, Uploads},
};

use super::support::{Form, World, file, get, png, send, signed_in};

async fn own_handler(media: MediaState, mut uploads: Uploads) -> Result<(), UploadRejection> {
    while let Some(upload) = uploads.next().await? {
        media.upload(uploads.owner(), upload).await?;
    }
    Ok(())
}

fn app(media: &MediaState) -> Router {
    let policy = UploadPolicy::images().scope("me");
    let handler = post(own_handler).layer(policy.layer());
    let all = UploadRoutes::new(media.clone(), "/all", policy.clone()).all_or_none();
    let routes = UploadRoutes::new(media.clone(), "/up", policy).tus(PartialUploads::in_memory());
    let own = Router::new().route("/own", handler).layer(media.layer());
    signed_in(routes.into_router().merge(all.into_router()).merge(own))
        .merge(media.service_routes(ServiceKeys::insecure_without_key()))
}

/// The bytes at 10 bytes per second, which is below the minimum and never idle.
fn slowly(bytes: Vec<u8>) -> Body {
    let chunks = stream::iter(bytes.chunks(10).map(<[u8]>::to_vec).collect::<Vec<_>>());
    Body::from_stream(chunks.then(|chunk| async {
        sleep(Duration::from_secs(1)).await;
        Ok::<_, String>(chunk)
    }))
}

#[tokio::test(start_paused = true)]
async fn p17_a_body_below_the_minimum_rate_is_408_on_every_route() {
    let world = World::new();
    let app = app(&world.media);
    let create = Request::post("/up/tus").header("tus-resumable", "1.0.0").header("x-user", "ana");
    let created = get(&app, create.header("upload-length", 100_000)).await;
    let part = format!("/up/{}", created.header("location"));
    let form = Form::new().with(file("a.png", &png(100_000))).bytes().to_vec();
    for (method, path, content_type, body) in [
        (Method::POST, "/up", Form::TYPE, form.clone()),
        (Method::POST, "/all", Form::TYPE, form.clone()),
        (Method::POST, "/own", Form::TYPE, form.clone()),
        (Method::PATCH, &part, "application/offset+octet-stream", png(100_000)),
        (Method::POST, "/api/v1/media/upload", Form::TYPE, form),
    ] {
        let began = Instant::now();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, content_type)
            .header("tus-resumable", "1.0.0")
            .header("upload-offset", "0")
            .header("x-user", "ana")
            .body(slowly(body));
        let answer = send(&app, request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{path}: {answer:?}");
        assert_eq!(began.elapsed().as_secs(), 30, "{path}");
    }
    assert_eq!(world.media.stats(&world.ana).await.unwrap().count, 0);
}
