//! `MediaState` as an extractor.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{FromRef, Request, State},
    http::{StatusCode, header},
    routing::get,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_media::MediaState;

use super::support::{owner, upload_texts};

/// Returns the number of Ana's media in the extracted state.
async fn count(media: MediaState) -> String {
    media.stats(&owner("ana")).await.unwrap().count.to_string()
}

async fn answer(app: Router) -> (StatusCode, String, String) {
    let request = Request::get("/").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, content_type, String::from_utf8(body.to_vec()).unwrap())
}

async fn with_three() -> MediaState {
    let media = MediaState::in_memory();
    upload_texts(&media, &owner("ana"), 3).await;
    media
}

#[tokio::test]
async fn the_layer_provides_the_state() {
    let media = with_three().await;
    let app = Router::new().route("/", get(count)).layer(media.layer());
    assert_eq!(answer(app).await.2, "3");
}

#[tokio::test]
async fn the_state_may_be_part_of_the_router_state() {
    #[derive(Clone, FromRef)]
    struct App {
        media: MediaState,
    }

    async fn from_state(State(media): State<MediaState>) -> String {
        count(media).await
    }

    let media = with_three().await;
    let whole = Router::new().route("/", get(from_state)).with_state(media.clone());
    assert_eq!(answer(whole).await.2, "3");
    let part = Router::new().route("/", get(from_state)).with_state(App { media });
    assert_eq!(answer(part).await.2, "3");
}

#[tokio::test]
async fn an_optional_state_is_absent_without_the_layer() {
    async fn handler(media: Option<MediaState>) -> String {
        match media {
            Some(media) => count(media).await,
            None => "none".into(),
        }
    }

    let app = Router::new().route("/", get(handler));
    assert_eq!(answer(app.clone()).await.2, "none");
    assert_eq!(answer(app.layer(with_three().await.layer())).await.2, "3");
}

#[tokio::test]
async fn g02_a_missing_layer_is_500_with_the_correction() {
    let text = "`MediaState` was extracted, but is not in the request's extensions. Add \
                `.layer(media.layer())` to the router, after the routes that need it.";
    let media = MediaState::in_memory();
    let without = Router::new().route("/", get(count));
    let added_after = Router::new().layer(media.layer()).route("/", get(count));
    for app in [without, added_after] {
        let (status, content_type, body) = answer(app).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(content_type, "application/problem+json");
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "type": "urn:problem:tower-media:wrong-wiring",
                "title": "Internal Server Error",
                "status": 500,
                "detail": text,
            })
        );
    }
}
