//! Requests to the application.

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
};
use outside::{
    AppState, Grants, Shelf,
    app::{Published, publish},
    auth::Tokens,
    payload::{Envelope, MaxText, Post},
    routes,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_media::{
    ErrorKind, MediaId, MediaState, OwnedMedia, Owner, Scopes, Upload, VerifiedMedia,
    testkit::{Fault, Faulty},
};

fn owner(user: &str) -> Owner {
    Owner::new(user).unwrap().with_tenant("red").unwrap()
}

fn app(media: &MediaState) -> Router {
    let tokens = [
        ("token-of-ana", "ana", "red"),
        ("token-of-bob", "bob", "red"),
        ("token-of-the-other-ana", "ana", "blue"),
        ("token-without-user", "", "red"),
    ];
    let (media, tokens, max_text) = (media.clone(), Tokens::new(tokens), MaxText(20));
    routes(AppState { media, tokens, max_text })
}

async fn upload(media: &MediaState, owner: &Owner, scope: &str, content: &'static str) -> MediaId {
    media.upload(owner, Upload::new(content).scope(scope)).await.unwrap().id
}

/// Sends a request with this token and returns the response.
async fn send(app: &Router, token: &str, mut request: Request) -> (StatusCode, String) {
    let token = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, token);
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn json_post(uri: &str, body: Value) -> Request {
    Request::post(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn text_post(uri: &str, body: String) -> Request {
    Request::post(uri).body(Body::from(body)).unwrap()
}

fn letter(post: Value) -> Request {
    json_post("/posts", json!({ "version": 1, "content": post }))
}

fn missing(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    serde_json::from_value(body["missing"].clone()).unwrap()
}

#[tokio::test]
async fn ids_in_all_fields_of_a_payload_are_verified() {
    let media = MediaState::new(Shelf::default());
    let [cover, picture] = [
        upload(&media, &owner("ana"), "post", "cover").await,
        upload(&media, &owner("ana"), "me", "picture").await,
    ];
    let crop = json!({ "mask": picture, "rectangle": [0, 0, 1, 1] });
    let request = letter(json!({
        "text": "hello",
        "cover": cover,
        "blocks": [
            { "type": "paragraph", "text": "hello" },
            { "type": "quote", "of": { "type": "picture", "id": picture, "crop": crop } },
            { "type": "picture", "id": picture, "crop": null },
        ],
        "translations": { "es": { "text": "hola", "cover": cover } },
        "extra": { "id": "skipped by the derive" },
    }));
    let (status, body) = send(&app(&media), "token-of-ana", request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let published: Published = serde_json::from_str(&body).unwrap();
    assert_eq!(
        published,
        Published {
            cover: Some(format!("/shelf/{cover}")),
            pictures: vec![format!("/shelf/{picture}")],
            bytes: "cover".len() + "picture".len(),
        }
    );
}

#[tokio::test]
async fn one_foreign_id_in_any_field_refuses_the_request() {
    let media = MediaState::new(Shelf::default());
    let of_ana = upload(&media, &owner("ana"), "post", "hers").await;
    let of_bob = upload(&media, &owner("bob"), "post", "his").await;
    let crop = json!({ "mask": of_bob, "rectangle": [0, 0, 1, 1] });
    let places = [
        json!({ "text": "", "cover": of_bob }),
        json!({ "text": "", "cover": of_ana, "translations": { "es": { "text": "", "cover": of_bob } } }),
        json!({ "text": "", "blocks": [{ "type": "picture", "id": of_ana, "crop": crop }] }),
        json!({ "text": "", "blocks": [
            { "type": "quote", "of": { "type": "picture", "id": of_bob, "crop": null } },
        ] }),
    ];
    let app = app(&media);
    for place in places {
        let (status, body) = send(&app, "token-of-ana", letter(place.clone())).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{place}");
        assert_eq!(missing(&body), [of_bob.to_string()], "{place}");
    }
}

#[tokio::test]
async fn owner_and_401_response_are_those_of_the_application() {
    let media = MediaState::new(Shelf::default());
    let id = upload(&media, &owner("ana"), "post", "hers").await;
    let app = app(&media);
    let request = || letter(json!({ "text": "", "cover": id }));

    assert_eq!(send(&app, "token-of-ana", request()).await.0, StatusCode::OK);
    let other_team = send(&app, "token-of-the-other-ana", request()).await;
    assert_eq!(other_team.0, StatusCode::NOT_FOUND);
    let without_token = send(&app, "no-token", request()).await;
    assert_eq!(without_token, (StatusCode::UNAUTHORIZED, r#"{"error":"who are you?"}"#.into()));
    // An empty subject is not an owner.
    let (status, body) = send(&app, "token-without-user", request()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("not-signed-in"), "{body}");
}

#[tokio::test]
async fn an_extractor_in_the_guard_reads_the_router_state() {
    let app = app(&MediaState::new(Shelf::default()));
    let long = letter(json!({ "text": "longer than the state allows" }));
    assert_eq!(send(&app, "token-of-ana", long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn ids_of_path_and_query_are_verified_together() {
    let media = MediaState::new(Shelf::default());
    let [one, two] = [
        upload(&media, &owner("ana"), "post", "one").await,
        upload(&media, &owner("ana"), "post", "two").await,
    ];
    let of_bob = upload(&media, &owner("bob"), "post", "his").await;
    let app = app(&media);
    let request = |uri: String| Request::get(uri).body(Body::empty()).unwrap();

    let both = request(format!("/albums/cats/{one}?with={two}"));
    let (status, body) = send(&app, "token-of-ana", both).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let shown: Value = serde_json::from_str(&body).unwrap();
    assert_eq!([&shown[0]["id"], &shown[1]["id"]], [one.as_str(), two.as_str()]);

    for uri in [format!("/albums/cats/{one}?with={of_bob}"), format!("/albums/cats/{of_bob}")] {
        let (status, body) = send(&app, "token-of-ana", request(uri)).await;
        assert_eq!((status, missing(&body)), (StatusCode::NOT_FOUND, vec![of_bob.to_string()]));
    }
}

#[tokio::test]
async fn a_custom_extractor_is_guarded_like_those_of_axum() {
    let media = MediaState::new(Shelf::default());
    let [one, two] = [
        upload(&media, &owner("ana"), "post", "one").await,
        upload(&media, &owner("ana"), "post", "two").await,
    ];
    let app = app(&media);

    let malformed = text_post("/remove", format!("{one}\n../{two}"));
    let (status, body) = send(&app, "token-of-ana", malformed).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body.starts_with("a media id is"), "{body}");

    let request = || text_post("/remove", format!("{one}\n{two}\n{one}"));
    let removed = send(&app, "token-of-ana", request()).await;
    assert_eq!(removed, (StatusCode::OK, "2 of 3".into()));
    assert_eq!(media.stats(&owner("ana")).await.unwrap().count, 0);

    // Deleted ids are not owned; `on_reject` makes this route's own response.
    let (status, body) = send(&app, "token-of-ana", request()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(body, format!("<p>Not yours: {one}, {two}</p>"));
}

#[tokio::test]
async fn a_closure_reads_a_payload_without_a_type() {
    let media = MediaState::new(Shelf::default());
    let [one, two] = [
        upload(&media, &owner("ana"), "post", "one").await,
        upload(&media, &owner("ana"), "post", "two").await,
    ];
    let app = app(&media);
    let import = |body| json_post("/import", body);

    let both = import(json!({ "references": [two], "masks": [one] }));
    let expected = (StatusCode::OK, format!("{two} {one}"));
    assert_eq!(send(&app, "token-of-ana", both).await, expected);
    for (body, status, problem) in [
        (json!({ "references": [7] }), StatusCode::UNPROCESSABLE_ENTITY, "invalid-media-id"),
        (json!({ "references": "one" }), StatusCode::UNPROCESSABLE_ENTITY, "too-few-media-ids"),
        (json!({ "masks": ["absent"] }), StatusCode::NOT_FOUND, "media-not-found"),
    ] {
        let (answered, text) = send(&app, "token-of-ana", import(body)).await;
        assert_eq!(answered, status);
        assert!(text.contains(problem), "{text}");
    }
}

#[tokio::test]
async fn a_custom_ownership_decides_instead_of_the_backend() {
    let grants = Grants::default();
    let media = MediaState::builder(Shelf::default()).ownership(grants.clone()).build();
    let shared = upload(&media, &owner("bob"), "post", "his").await;
    let app = app(&media);
    let request = || letter(json!({ "text": "", "cover": shared }));

    assert_eq!(send(&app, "token-of-ana", request()).await.0, StatusCode::NOT_FOUND);
    grants.grant(&owner("ana"), &shared);
    assert_eq!(send(&app, "token-of-ana", request()).await.0, StatusCode::OK);
    // The backend's ownership of Bob does not count.
    assert_eq!(send(&app, "token-of-bob", request()).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_outage_of_a_custom_backend_is_503_not_404() {
    let backend = Faulty::new(Shelf::default());
    let media = MediaState::new(backend.clone());
    let id = upload(&media, &owner("ana"), "post", "hers").await;
    let app = app(&media);
    let request = || letter(json!({ "text": "", "cover": id }));

    backend.set(Fault::Fail(ErrorKind::Unavailable));
    assert_eq!(send(&app, "token-of-ana", request()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    backend.set(Fault::None);
    assert_eq!(send(&app, "token-of-ana", request()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_handler_is_called_without_a_request() {
    let media = MediaState::new(Shelf::default());
    let id = upload(&media, &owner("ana"), "post", "hers").await;
    let content: Post = serde_json::from_value(json!({ "text": "", "cover": id })).unwrap();
    let owned = OwnedMedia::for_test(owner("ana"), Scopes::any(), [id]);
    let letter = Json(Envelope { version: 1, content });
    let answer = publish(VerifiedMedia((MaxText(0), letter), owned), State(media)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}
