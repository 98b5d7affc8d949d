//! G3: a request without ids passes only if the route allows it, for every source.

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{
        Path, Query, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{Method, StatusCode, header},
    routing::any,
};
use serde::Deserialize;
use tower_media::{
    MediaIds, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm, VerifyMediaRejection},
};

use super::support::{World, by, send};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=X";

type ExtraForm<T> = axum_extra::extract::Form<T>;
type ExtraQuery<T> = axum_extra::extract::Query<T>;

/// A payload with optional ids only.
#[derive(Deserialize, MediaIds)]
struct Post {
    #[serde(default)]
    pictures: Vec<UnverifiedId>,
    cover: Option<UnverifiedId>,
}

/// The same for sources without repeated keys.
#[derive(Deserialize, MediaIds)]
struct Cover {
    cover: Option<UnverifiedId>,
}

/// A request without its owner. The route is `/{album}`.
struct Sent {
    uri: &'static str,
    content_type: &'static str,
    body: String,
}

fn body(content_type: &'static str, body: &str) -> Sent {
    Sent { uri: "/album", content_type, body: body.to_owned() }
}

fn query(uri: &'static str) -> Sent {
    Sent { uri, content_type: "text/plain", body: String::new() }
}

/// A form with these fields, and a file after them.
fn multipart(fields: &[(&str, &str)]) -> Sent {
    let mut form = String::new();
    for (name, value) in fields {
        form +=
            &format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    form += "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n\r\n\
             meow\r\n--X--\r\n";
    body(MULTIPART, &form)
}

impl Sent {
    fn by_ana(&self, world: &World) -> Request {
        by(&world.ana, Request::builder().method(Method::POST).uri(self.uri))
            .header(header::CONTENT_TYPE, self.content_type)
            .body(Body::from(self.body.clone()))
            .unwrap()
    }
}

fn routes<E, M>(guard: VerifyMediaLayer<E>) -> Router
where
    E: MediaIds + GuardedExtractor<(), M>,
    M: 'static,
{
    async fn count<E>(VerifiedMedia(_, owned): VerifiedMedia<E>) -> String {
        owned.ids().len().to_string()
    }
    Router::new().route("/{album}", any(count::<E>).layer(guard))
}

/// Asserts 422 without ids by default; if the route allows it, an empty proof without a query.
async fn assert_empty<E, M>(sent: &[Sent])
where
    E: MediaIds + GuardedExtractor<(), M>,
    M: 'static,
{
    let world = World::new();
    let guard = VerifyMediaLayer::<E>::new(world.media.clone());
    let strict = world.app(routes(guard.clone()));
    let lenient = world.app(routes(guard.id_count(0..=3)));
    for sent in sent {
        let answer = send(&strict, sent.by_ana(&world)).await;
        assert_eq!(answer.status, 422, "{} {}: {}", sent.uri, sent.body, answer.text());
        assert_eq!(
            answer.json()["detail"],
            "This needs 1 to 100 media ids, and the request has 0."
        );
        assert!(matches!(
            answer.extensions.get(),
            Some(VerifyMediaRejection::TooFewIds(few)) if (few.min(), few.found()) == (1, 0)
        ));

        let answer = send(&lenient, sent.by_ana(&world)).await;
        assert_eq!(answer.status, 200, "{} {}: {}", sent.uri, sent.body, answer.text());
        assert_eq!(answer.text(), "0");
    }
    assert_eq!(world.backend.questions(), 0);
}

/// Asserts that the extractor rejects an invalid id, also if the route allows requests without ids.
async fn assert_malformed<E, M>(status: StatusCode, sent: &[Sent])
where
    E: MediaIds + GuardedExtractor<(), M>,
    M: 'static,
{
    let world = World::new();
    let guard = VerifyMediaLayer::<E>::new(world.media.clone());
    for guard in [guard.clone(), guard.id_count(0..=3)] {
        let app = world.app(routes(guard));
        for sent in sent {
            let answer = send(&app, sent.by_ana(&world)).await;
            assert_eq!(answer.status, status, "{} {}: {}", sent.uri, sent.body, answer.text());
            assert!(answer.extensions.get::<VerifyMediaRejection>().is_none());
        }
    }
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g03_json_without_ids_is_refused_by_default() {
    assert_empty::<Json<Post>, _>(&[
        body(JSON, "{}"),
        body(JSON, r#"{"pictures": []}"#),
        body(JSON, r#"{"cover": null}"#),
        body(JSON, r#"{"pictures": [], "cover": null, "other": "m-1"}"#),
    ])
    .await;
    assert_empty::<Json<Vec<UnverifiedId>>, _>(&[body(JSON, "[]")]).await;
    assert_empty::<Json<Option<Vec<UnverifiedId>>>, _>(&[body(JSON, "null"), body(JSON, "[]")])
        .await;
    assert_empty::<Json<Vec<Option<UnverifiedId>>>, _>(&[body(JSON, "[null, null]")]).await;
    assert_empty::<Json<Vec<Vec<UnverifiedId>>>, _>(&[body(JSON, "[[], []]")]).await;
}

#[tokio::test]
async fn g03_json_with_an_empty_id_is_refused() {
    assert_malformed::<Json<Post>, _>(
        StatusCode::UNPROCESSABLE_ENTITY,
        &[
            body(JSON, r#"{"cover": ""}"#),
            body(JSON, r#"{"pictures": [""]}"#),
            body(JSON, r#"{"pictures": null}"#),
            body(JSON, r#"{"pictures": ""}"#),
            body(JSON, "null"),
        ],
    )
    .await;
    assert_malformed::<Json<Post>, _>(StatusCode::BAD_REQUEST, &[body(JSON, "")]).await;
}

#[tokio::test]
async fn g03_form_without_ids_is_refused_by_default() {
    assert_empty::<Form<Cover>, _>(&[body(FORM, ""), body(FORM, "other=m-1")]).await;
    // An empty input of an optional id is an absent id.
    let sent = [body(FORM, ""), body(FORM, "other=m-1"), body(FORM, "cover=")];
    assert_empty::<ExtraForm<Post>, _>(&sent).await;
}

#[tokio::test]
async fn g03_form_with_an_empty_id_is_refused() {
    let sent = [body(FORM, "cover="), body(FORM, "cover")];
    assert_malformed::<Form<Cover>, _>(StatusCode::UNPROCESSABLE_ENTITY, &sent).await;
    let sent = [body(FORM, "pictures="), body(FORM, "pictures")];
    assert_malformed::<ExtraForm<Post>, _>(StatusCode::UNPROCESSABLE_ENTITY, &sent).await;
}

#[tokio::test]
async fn g03_query_without_ids_is_refused_by_default() {
    let sent = [query("/album"), query("/album?"), query("/album?other=m-1"), query("/album?&&")];
    assert_empty::<Query<Cover>, _>(&sent).await;
    assert_empty::<ExtraQuery<Post>, _>(&sent).await;
    assert_empty::<ExtraQuery<Post>, _>(&[query("/album?cover=")]).await;
}

#[tokio::test]
async fn g03_query_with_an_empty_id_is_refused() {
    let sent = [query("/album?cover="), query("/album?cover")];
    assert_malformed::<Query<Cover>, _>(StatusCode::BAD_REQUEST, &sent).await;
    let sent = [query("/album?pictures="), query("/album?pictures")];
    assert_malformed::<ExtraQuery<Post>, _>(StatusCode::BAD_REQUEST, &sent).await;
}

#[tokio::test]
async fn g03_path_without_ids_is_refused_by_default() {
    #[derive(Deserialize, MediaIds)]
    struct Album {
        #[serde(rename = "album")]
        _name: String,
        cover: Option<UnverifiedId>,
    }
    assert_empty::<Path<Album>, _>(&[query("/album")]).await;
    assert_empty::<Path<String>, _>(&[query("/album")]).await;
    assert_empty::<Option<Path<String>>, _>(&[query("/album")]).await;
}

#[tokio::test]
async fn g03_path_with_an_empty_id_is_refused() {
    let sent = [query("/%20"), query("/%00"), query("/%2F")];
    assert_malformed::<Path<UnverifiedId>, _>(StatusCode::BAD_REQUEST, &sent).await;
    // A path parameter cannot be empty, so no route matches.
    let sent = [query("/"), query("//")];
    assert_malformed::<Path<UnverifiedId>, _>(StatusCode::NOT_FOUND, &sent).await;
}

#[tokio::test]
async fn g03_multipart_form_without_ids_is_refused_by_default() {
    let sent = [multipart(&[]), multipart(&[("other", "m-1")])];
    assert_empty::<MultipartForm<Post>, _>(&sent).await;
}

#[tokio::test]
async fn g03_multipart_form_with_an_empty_id_is_refused() {
    let sent = [
        multipart(&[("pictures", "")]),
        multipart(&[("pictures", "m-1"), ("pictures", "")]),
        multipart(&[("cover", "")]),
        multipart(&[("cover", " ")]),
    ];
    assert_malformed::<MultipartForm<Post>, _>(StatusCode::UNPROCESSABLE_ENTITY, &sent).await;
}

#[tokio::test]
async fn g03_tuple_is_empty_only_if_all_its_members_are() {
    let empty = [body(JSON, "{}"), body(JSON, r#"{"pictures": []}"#)];
    assert_empty::<(Path<String>, Query<Cover>, Json<Post>), _>(&empty).await;
    assert_empty::<(Query<Cover>, ExtraQuery<Post>), _>(&[query("/album")]).await;
    assert_empty::<(Query<Cover>, MultipartForm<Post>), _>(&[multipart(&[])]).await;

    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let guard = VerifyMediaLayer::<(Query<Cover>, Json<Post>)>::new(world.media.clone());
    let app = world.app(routes(guard));
    for (uri, posted) in [
        (format!("/album?cover={id}"), "{}".to_owned()),
        ("/album".to_owned(), format!(r#"{{"cover": "{id}"}}"#)),
    ] {
        let mut request = body(JSON, &posted).by_ana(&world);
        *request.uri_mut() = uri.parse().unwrap();
        assert_eq!(send(&app, request).await.text(), "1");
    }
}

#[tokio::test]
async fn g03_failed_optional_extraction_carries_no_ids() {
    let sent = [query("/album?cover="), query("/album")];
    assert_empty::<Result<Query<Cover>, QueryRejection>, _>(&sent).await;
    let sent = [body(JSON, "["), body(JSON, r#"{"cover": ""}"#), body(FORM, "")];
    assert_empty::<Result<Json<Post>, JsonRejection>, _>(&sent).await;
}

#[tokio::test]
async fn g03_closure_without_ids_is_refused_by_default() {
    type Text = Json<serde_json::Value>;
    async fn count(VerifiedMedia(_, owned): VerifiedMedia<Text>) -> String {
        owned.ids().len().to_string()
    }
    let world = World::new();
    let guard = VerifyMediaLayer::<Text>::with_ids(world.media.clone(), |_| Ok(Vec::new()));
    for (guard, status) in [(guard.clone(), 422), (guard.id_count(0..=1), 200)] {
        let app = world.app(Router::new().route("/{album}", any(count).layer(guard)));
        assert_eq!(send(&app, body(JSON, "{}").by_ana(&world)).await.status, status);
    }
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g03_route_of_one_optional_id_refuses_two() {
    let world = World::new();
    let [one, two] = [world.upload(&world.ana, "me").await, world.upload(&world.ana, "me").await];
    let guard = VerifyMediaLayer::<Json<Post>>::new(world.media.clone()).id_count(0..=1);
    let app = world.app(routes(guard));
    assert_eq!(send(&app, body(JSON, "{}").by_ana(&world)).await.text(), "0");
    let both = body(JSON, &format!(r#"{{"cover": "{one}", "pictures": ["{two}"]}}"#));
    assert_eq!(send(&app, both.by_ana(&world)).await.status, 422);
    assert_eq!(world.backend.questions(), 0);
    let cover = body(JSON, &format!(r#"{{"cover": "{one}"}}"#));
    assert_eq!(send(&app, cover.by_ana(&world)).await.text(), "1");
}

#[tokio::test]
async fn g03_minimum_above_one_counts_repeats_once() {
    let world = World::new();
    let [one, two] = [world.upload(&world.ana, "me").await, world.upload(&world.ana, "me").await];
    let guard = VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(world.media.clone());
    let app = world.app(routes(guard.id_count(2..=3)));
    for (ids, status) in
        [(vec![], 422), (vec![&one], 422), (vec![&one, &one, &one], 422), (vec![&one, &two], 200)]
    {
        let sent = body(JSON, &serde_json::to_string(&ids).unwrap());
        assert_eq!(send(&app, sent.by_ana(&world)).await.status, status, "{ids:?}");
    }
}

#[tokio::test]
async fn g03_request_without_ids_needs_an_owner() {
    let world = World::new();
    let guard = VerifyMediaLayer::<Query<Cover>>::new(world.media.clone()).id_count(0..=1);
    let anonymous = Request::get("/album").body(Body::empty()).unwrap();
    assert_eq!(send(&world.app(routes(guard)), anonymous).await.status, 401);
}
