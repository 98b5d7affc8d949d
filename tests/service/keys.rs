//! Authentication of callers.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use futures_util::stream;
use tower::ServiceExt as _;
use tower_media::{
    InMemory, MediaState,
    routes::{ServiceKeys, ServiceRoutes},
};

use crate::support::{KEY, keys};

const OTHER: &str = "another-key-of-these-tests";

fn routes(keys: ServiceKeys) -> Router {
    let media = MediaState::new(InMemory::new());
    ServiceRoutes::new(media, keys).metrics(|| "up 1\n".to_owned()).into_router()
}

async fn status(app: &Router, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
}

const LIST: &str = "/api/v1/media?userId=ana";

#[tokio::test]
async fn a_key_is_accepted_as_bearer_and_as_header() {
    let app = routes(keys());
    let bearer = format!("Bearer {KEY}");
    let lower = format!("bearer  {KEY}");
    for headers in [
        vec![("authorization", &*bearer)],
        vec![("authorization", &*lower)],
        vec![("x-service-key", KEY)],
        vec![("x-service-key", "wrong"), ("authorization", &*bearer)],
    ] {
        assert_eq!(status(&app, LIST, &headers).await, StatusCode::OK, "{headers:?}");
    }
}

#[tokio::test]
async fn an_invalid_key_is_refused_on_every_route() {
    let app = routes(keys());
    let longer = format!("Bearer {KEY}x");
    let bare = KEY.to_owned();
    let basic = format!("Basic {KEY}");
    for headers in [
        vec![],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Bearer")],
        vec![("authorization", &*longer)],
        vec![("authorization", &KEY[..KEY.len() - 1])],
        vec![("authorization", &*bare)],
        vec![("authorization", &*basic)],
        vec![("x-service-key", "")],
        vec![("x-service-key", &*longer)],
    ] {
        for path in [LIST, "/api/v1/media/nothing", "/api/v1/media/no/such/route", "/metrics"] {
            let found = status(&app, path, &headers).await;
            assert_eq!(found, StatusCode::UNAUTHORIZED, "{path} {headers:?}");
        }
    }
    assert_eq!(status(&app, "/health", &[]).await, StatusCode::OK);
    assert_eq!(status(&app, "/ready", &[]).await, StatusCode::OK);
}

#[tokio::test]
async fn two_keys_are_accepted_during_a_rotation() {
    let app = routes(keys().or(OTHER).unwrap());
    for (key, expected) in [
        (KEY, StatusCode::OK),
        (OTHER, StatusCode::OK),
        ("a-third-key-of-these-tests", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(status(&app, LIST, &[("x-service-key", key)]).await, expected, "{key}");
    }
}

#[tokio::test]
async fn g14_without_a_key_the_body_is_not_read() {
    let body = Body::from_stream(stream::once(async {
        panic!("read");
        #[allow(unreachable_code)]
        Ok::<_, std::io::Error>("")
    }));
    let request = Request::post("/api/v1/media/upload")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .body(body)
        .unwrap();
    let response = routes(keys()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    let body = to_bytes(response.into_body(), 1024).await.unwrap();
    assert_eq!(body, r#"{"error":"A service key is required"}"#);
}

#[tokio::test]
async fn a_service_without_a_key_is_an_explicit_choice() {
    let app = routes(ServiceKeys::insecure_without_key());
    assert_eq!(status(&app, LIST, &[]).await, StatusCode::OK);
    assert_eq!(status(&app, "/metrics", &[]).await, StatusCode::OK);
    assert!(ServiceKeys::insecure_without_key().or(KEY).is_err());
}

#[test]
fn a_short_key_or_one_that_is_not_ascii_is_refused() {
    for key in ["", "fifteen-bytes-1", "sixteen bytes 12", "sixteen-bytes-1ä", "sixteen-bytes-1\n"]
    {
        assert!(ServiceKeys::new(key).is_err(), "{key:?}");
        assert!(keys().or(key).is_err(), "{key:?}");
    }
    assert!(!format!("{:?}", keys()).contains(KEY));
}
