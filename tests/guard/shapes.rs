//! Ids in forms and query strings, and extractors over foreign types.

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Path, Query, Request},
    http::header,
    routing::{get, post, put},
};
use axum_extra::extract::Query as Queries;
use serde::Deserialize;
use serde_json::json;
use tower_media::{
    MediaIds, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::{IdList, Skip, empty_as_none},
};
use uuid::Uuid;

use super::support::{World, by, get as get_request, post_json, send};

/// A type of another crate, without `MediaIds`.
#[derive(Debug, Deserialize)]
struct Foreign(u32);

fn put_json(world: &World, uri: &str, ids: &[&str]) -> Request {
    let mut request = post_json(&world.ana, uri, &json!(ids));
    *request.method_mut() = axum::http::Method::PUT;
    request
}

#[tokio::test]
async fn skip_extracts_the_same_value_and_carries_no_ids() {
    type Parts = (Skip<Path<Foreign>>, Json<Vec<UnverifiedId>>);
    let world = World::new();
    let [own, foreign] =
        [world.upload(&world.ana, "me").await, world.upload(&world.bob, "me").await];
    let handler = async |VerifiedMedia((Skip(Path(order)), Json(_)), owned): VerifiedMedia<
        Parts,
    >| { format!("{} {}", order.0, owned.ids().len()) };
    let guard = VerifyMediaLayer::<Parts>::new(world.media.clone());
    let app = world.app(Router::new().route("/{order}", put(handler).layer(guard)));
    assert_eq!(send(&app, put_json(&world, "/7", &[&own])).await.text(), "7 1");
    assert_eq!(send(&app, put_json(&world, "/7", &[&foreign])).await.missing(), [foreign]);
    // The rejection of the extractor inside is passed through.
    let answer = send(&app, put_json(&world, "/seven", &[&own])).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("Cannot parse"), "{}", answer.text());
}

#[tokio::test]
async fn skip_of_a_body_leaves_the_ids_unopenable() {
    type Body = Skip<Json<Vec<UnverifiedId>>>;
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let handler = async |VerifiedMedia(Skip(Json(ids)), owned): VerifiedMedia<Body>| {
        format!("{} {:?}", ids.len(), owned.get(&ids[0]))
    };
    let guard = VerifyMediaLayer::<Body>::new(world.media.clone()).id_count(0..=1);
    let app = world.app(Router::new().route("/", post(handler).layer(guard)));
    let answer = send(&app, post_json(&world.ana, "/", &json!([id]))).await;
    assert_eq!(answer.text(), "1 None");
}

#[tokio::test]
async fn g02_skip_of_path_is_500_outside_of_its_route() {
    use tower::Layer as _;
    type Parts = (Skip<Path<Foreign>>, Query<Selection>);
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let guard = VerifyMediaLayer::<Parts>::new(world.media.clone());
    let inner = Router::new().route("/{order}", get(async |_: VerifiedMedia<Parts>| {}));
    let app = world.app(Router::new().nest_service("/{album}", guard.layer(inner)));
    let answer = send(&app, get_request(&world.ana, &format!("/1/2?ids={id}"))).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("reads path parameters outside of the route"));
}

#[tokio::test]
async fn uuid_is_not_a_media_id() {
    type Parts = (Path<Uuid>, Json<Vec<UnverifiedId>>);
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let handler = async |VerifiedMedia((Path(order), _), owned): VerifiedMedia<Parts>| {
        format!("{order} {}", owned.ids().len())
    };
    let guard = VerifyMediaLayer::<Parts>::new(world.media.clone());
    let app = world.app(Router::new().route("/{order}", put(handler).layer(guard)));
    let order = "01f1903a-390d-41fe-8146-d3b7c842ed42";
    let answer = send(&app, put_json(&world, &format!("/{order}"), &[&id])).await;
    assert_eq!(answer.text(), format!("{order} 1"));
}

#[derive(Deserialize, MediaIds)]
struct Profile {
    name: String,
    #[serde(default, deserialize_with = "empty_as_none")]
    cover: Option<UnverifiedId>,
}

#[tokio::test]
async fn g03_an_empty_optional_id_of_a_form_is_absent() {
    let world = World::new();
    let own = world.upload(&world.ana, "me").await;
    let handler = async |VerifiedMedia(Form(form), owned): VerifiedMedia<Form<Profile>>| {
        format!("{} {:?}", form.name, form.cover.map(|cover| owned[&cover].to_string()))
    };
    let guard = VerifyMediaLayer::<Form<Profile>>::new(world.media.clone()).id_count(0..=1);
    let app = world.app(Router::new().route("/", post(handler).layer(guard)));
    for (body, status, text) in [
        ("name=a&cover=".to_owned(), 200, "a None".to_owned()),
        ("name=a".to_owned(), 200, "a None".to_owned()),
        (format!("name=a&cover={own}"), 200, format!("a Some({own:?})")),
        ("name=a&cover=other".to_owned(), 404, String::new()),
        ("name=a&cover=+".to_owned(), 422, String::new()),
        (format!("name=a&cover={own}&cover="), 422, String::new()),
        (format!("name=a&cover=&cover={own}"), 422, String::new()),
    ] {
        let request = by(&world.ana, Request::post("/"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.clone()))
            .unwrap();
        let answer = send(&app, request).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(status != 200 || answer.text() == text, "{body}: {}", answer.text());
    }
}

#[derive(Deserialize, MediaIds)]
struct Selection {
    ids: IdList,
}

#[tokio::test]
async fn g11_every_id_of_a_comma_separated_list_counts() {
    let world = World::new();
    let [a, b] = [world.upload(&world.ana, "me").await, world.upload(&world.ana, "me").await];
    let foreign = world.upload(&world.bob, "me").await;
    let handler = async |VerifiedMedia(Query(selected), owned): VerifiedMedia<Query<Selection>>| {
        let ids = selected.ids.iter().map(|id| owned[id].as_str());
        ids.collect::<Vec<_>>().join(" ")
    };
    let guard = VerifyMediaLayer::<Query<Selection>>::new(world.media.clone()).id_count(0..=3);
    let app = world.app(Router::new().route("/", get(handler).layer(guard)));
    for (query, status, text) in [
        (format!("ids={a},{b},{a}"), 200, format!("{a} {b} {a}")),
        (format!("ids={a}%2C{b}"), 200, format!("{a} {b}")),
        ("ids=".to_owned(), 200, String::new()),
        (format!("ids={a},{foreign}"), 404, String::new()),
        (format!("ids={a},"), 400, String::new()),
        (format!("ids={a},+{b}"), 400, String::new()),
        (format!("ids={a}&ids={foreign}"), 400, String::new()),
        ("ids=1,2,3,4".to_owned(), 422, String::new()),
        (String::new(), 400, String::new()),
    ] {
        let answer = send(&app, get_request(&world.ana, &format!("/?{query}"))).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(status != 200 || answer.text() == text, "{query}: {}", answer.text());
    }
}

#[tokio::test]
async fn g11_repeated_key_of_an_id_list_is_never_dropped() {
    let world = World::new();
    let own = world.upload(&world.ana, "me").await;
    let foreign = world.upload(&world.bob, "me").await;
    let guard = VerifyMediaLayer::<Queries<Selection>>::new(world.media.clone());
    let handler = async |_: VerifiedMedia<Queries<Selection>>| "reached";
    let app = world.app(Router::new().route("/", get(handler).layer(guard)));
    for (first, second) in [(&own, &foreign), (&foreign, &own)] {
        let uri = format!("/?ids={first}&ids={second}");
        let answer = send(&app, get_request(&world.ana, &uri)).await;
        assert!(answer.status.is_client_error(), "{}", answer.text());
    }
}
