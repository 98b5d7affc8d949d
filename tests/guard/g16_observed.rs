//! G16: refusals can be replaced by the application, are documented in OpenAPI, counted, and explained
//! to the operator but not to the client; logs and metrics carry no secrets and no unbounded labels.

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::IntoResponse as _,
    routing::post,
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::{Value, json};
use tower_media::{
    ErrorKind, MediaState, UnverifiedId, Upload, VerifiedMedia, VerifyMediaLayer,
    extract::VerifyMediaRejection, testkit::Fault,
};

use super::{
    log::Log,
    support::{Answer, World, post_json, send},
};

type Ids = Json<Vec<UnverifiedId>>;

async fn handler(_: VerifiedMedia<Ids>) {}

fn guard(media: &MediaState) -> VerifyMediaLayer<Ids> {
    VerifyMediaLayer::new(media.clone()).scopes(["me"]).id_count(1..=3)
}

fn routes(media: &MediaState) -> Router {
    Router::new().route("/", post(handler).layer(guard(media)))
}

/// One request for each rejection, with its label.
async fn refusals(world: &World, app: &Router) -> Vec<(&'static str, Answer)> {
    let own = world.upload(&world.ana, "me").await;
    let foreign = world.upload(&world.bob, "me").await;
    let elsewhere = world.upload(&world.ana, "elsewhere").await;
    let ids = |ids: Value| post_json(&world.ana, "/", &ids);
    let mut anonymous = ids(json!([own]));
    anonymous.headers_mut().remove("x-user");
    let mut answers = vec![
        ("missing_owner", send(app, anonymous).await),
        ("extractor_refused", send(app, ids(json!(["a b"]))).await),
        ("too_few_ids", send(app, ids(json!([]))).await),
        ("too_many_ids", send(app, ids(json!(["1", "2", "3", "4"]))).await),
        ("not_owned", send(app, ids(json!([own, foreign, elsewhere]))).await),
    ];
    world.backend.set(Fault::Fail(ErrorKind::Unavailable));
    answers.push(("check_failed", send(app, ids(json!([own]))).await));
    world.backend.set(Fault::None);
    answers.push(("owned", send(app, ids(json!([own]))).await));
    answers
}

#[tokio::test]
async fn g16_on_reject_shapes_only_the_guards_refusals() {
    let world = World::new();
    let guard = guard(&world.media).on_reject(|rejection| match rejection {
        VerifyMediaRejection::MediaNotOwned(not_owned) => {
            (StatusCode::FORBIDDEN, format!("not yours: {}", not_owned.missing().len()))
                .into_response()
        }
        other => other.into_response(),
    });
    let app = world.app(Router::new().route("/", post(handler).layer(guard)));

    let answers = refusals(&world, &app).await;
    let of = |reason| &answers.iter().find(|(name, _)| *name == reason).unwrap().1;
    assert_eq!(
        (of("not_owned").status, of("not_owned").text()),
        (StatusCode::FORBIDDEN, "not yours: 2")
    );
    assert_eq!(of("too_few_ids").json()["limit"], 1);
    assert!(of("extractor_refused").text().starts_with("Failed to deserialize the JSON body"));
}

#[tokio::test]
async fn g16_typed_reason_is_in_every_refusals_extensions() {
    let world = World::new();
    let guard = guard(&world.media).on_reject(|_| StatusCode::IM_A_TEAPOT);
    let app = world.app(Router::new().route("/", post(handler).layer(guard)));

    for (name, answer) in refusals(&world, &app).await {
        let reason = answer.extensions.get::<VerifyMediaRejection>();
        match name {
            "extractor_refused" | "owned" => assert!(reason.is_none(), "{name}"),
            _ => {
                assert_eq!(answer.status, StatusCode::IM_A_TEAPOT, "{name}");
                assert!(reason.is_some(), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn g16_problem_texts_are_exact() {
    let world = World::new();
    let app = world.app(routes(&world.media));

    for (name, answer) in refusals(&world, &app).await {
        let detail = match name {
            "missing_owner" => "Sign in to refer to media.",
            "too_few_ids" => "This needs 1 to 3 media ids, and the request has 0.",
            "too_many_ids" => "This takes 1 to 3 media ids, and the request has more.",
            "not_owned" => "Some of the media ids were not found.",
            "check_failed" => "The media could not be reached. Try again in a moment.",
            _ => continue,
        };
        assert_eq!(answer.json()["detail"], detail);
        assert_eq!(answer.json()["status"], answer.status.as_u16());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        let retry = answer.headers.get(header::RETRY_AFTER).is_some();
        assert_eq!(retry, name == "check_failed");
    }
}

#[test]
fn g16_every_outcome_is_counted_once_under_a_bounded_label() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            refusals(&world, &world.app(routes(&world.media))).await;
        });
    });

    let mut counted: Vec<String> = Vec::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        assert_eq!(key.key().name(), "tower_media_checks_total");
        assert_eq!(value, DebugValue::Counter(1));
        let labels: Vec<_> = key.key().labels().collect();
        assert_eq!((labels.len(), labels[0].key()), (1, "result"));
        counted.push(labels[0].value().to_owned());
    }
    counted.sort();
    assert_eq!(
        counted,
        [
            "check_failed",
            "extractor_refused",
            "missing_owner",
            "not_owned",
            "owned",
            "too_few_ids",
            "too_many_ids"
        ]
    );
}

#[tokio::test]
async fn g16_explanation_is_logged_and_not_sent() {
    let world = World::new();
    let app = world.app(routes(&world.media));
    let foreign = world.upload(&world.bob, "me").await;
    let elsewhere = world.upload(&world.ana, "elsewhere").await;
    let request = || post_json(&world.ana, "/", &json!([foreign, elsewhere, "no-such-id"]));

    let quiet = send(&app, request()).await;
    let log = Log::of("tower_media::explain=debug");
    let told = send(&app, request()).await;
    let log = log.take();
    assert_eq!(
        (quiet.status, &quiet.headers, &quiet.body),
        (told.status, &told.headers, &told.body)
    );
    for (id, standing) in
        [(foreign.as_str(), "Foreign"), (&elsewhere, "WrongScope"), ("no-such-id", "Absent")]
    {
        let explained = |line: &str| line.contains(id) && line.contains(standing);
        assert!(log.lines().any(explained), "{id} is {standing}:\n{log}");
    }
}

#[tokio::test]
async fn g16_explanation_is_queried_only_if_its_target_is_enabled() {
    let world = World::new();
    let app = world.app(routes(&world.media));
    let request = post_json(&world.ana, "/", &json!(["no-such-id"]));
    let log = Log::of("info");
    send(&app, request).await;
    let log = log.take();
    assert!(log.contains("media not owned") && !log.contains("Absent"), "{log}");
}

#[tokio::test]
async fn g16_logs_carry_no_file_names_no_bodies_and_no_headers() {
    let world = World::new();
    let app = world.app(routes(&world.media));
    let secret = Upload::new("coordinates 47.6603").file_name("my-diary.jpg");
    let stored = world.media.upload(&world.ana, secret.scope("me")).await.unwrap();
    let log = Log::of("trace");
    refusals(&world, &app).await;
    let mut request = post_json(&world.bob, "/", &json!([stored.id]));
    request.headers_mut().insert(header::AUTHORIZATION, "Bearer s3cret".parse().unwrap());
    assert_eq!(send(&app, request).await.status, StatusCode::NOT_FOUND);
    tracing::debug!(state = ?world.media, upload = ?Upload::new("x").file_name("my-diary.jpg"));
    let log = log.take();
    assert!(log.contains("request refused"), "something is logged:\n{log}");
    for secret in ["47.6603", "my-diary", "s3cret", "Bearer"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[test]
fn g16_an_openapi_document_lists_the_guards_answers() {
    use utoipa::OpenApi as _;

    #[derive(utoipa::ToSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Collage {
        references: Vec<UnverifiedId>,
    }

    #[utoipa::path(
        post,
        path = "/collage",
        request_body = Collage,
        responses((status = 200, body = tower_media::Media), VerifyMediaRejection)
    )]
    #[allow(dead_code, reason = "only its description is used")]
    async fn collage() {}

    #[derive(utoipa::OpenApi)]
    #[openapi(paths(collage))]
    struct Api;

    let document = serde_json::to_value(Api::openapi()).unwrap();
    let responses = document["paths"]["/collage"]["post"]["responses"].as_object().unwrap();
    let statuses: Vec<&String> = responses.keys().collect();
    assert_eq!(statuses, ["200", "401", "404", "413", "422", "502", "503", "504"]);
    let problem = &responses["404"]["content"]["application/problem+json"]["schema"];
    assert_eq!(problem["properties"]["missing"]["type"], "array");
    assert_eq!(problem["required"], json!(["type", "title", "status", "detail"]));
    assert_eq!(document["components"]["schemas"]["OwnedMediaId"]["maxLength"], 128);
    assert!(document["components"]["schemas"]["Media"]["properties"]["exif"].is_null());
}
