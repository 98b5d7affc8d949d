//! G11: every occurrence of an id in the handler's value counts.

use axum::{
    Form, Json, Router,
    extract::{Path, Query, Request},
    http::header,
    routing::{MethodRouter, any},
};
use axum_extra::extract::{Cached, Form as Forms, Query as Queries};
use serde::Deserialize;
use tower_media::{
    MediaIds, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::{GuardedExtractor, MultipartForm},
};

use super::support::{Answer, World, by, send};

#[derive(Clone, Debug, Deserialize, MediaIds)]
struct One {
    id: UnverifiedId,
}

#[derive(Clone, Debug, Deserialize, MediaIds)]
struct Many {
    #[serde(default)]
    id: Vec<UnverifiedId>,
}

/// Responds with the `Debug` text of the handler's value.
fn guarded<E, M>(world: &World) -> MethodRouter
where
    E: GuardedExtractor<(), M> + MediaIds + std::fmt::Debug,
    M: Send + Sync + 'static,
{
    let layer = VerifyMediaLayer::<E>::new(world.media.clone());
    any(|VerifiedMedia(value, _): VerifiedMedia<E>| async move { format!("{value:?}") })
        .layer(layer)
}

type Triple = (Path<UnverifiedId>, Query<One>, Json<One>);
type WithForm = ((Path<UnverifiedId>, Queries<Many>), MultipartForm<Many>);

fn app(world: &World) -> Router {
    let nested =
        Router::new().route("/of/{id}", guarded::<Path<(UnverifiedId, UnverifiedId)>, _>(world));
    let list =
        Router::new().route("/of/{id}", guarded::<Path<Vec<(String, UnverifiedId)>>, _>(world));
    let named = Router::new().route("/of/{id}", guarded::<Path<One>, _>(world));
    let routes = Router::new()
        .route("/query/one", guarded::<Query<One>, _>(world))
        .route("/query/many", guarded::<Queries<Many>, _>(world))
        .route("/query/pairs", guarded::<Query<Vec<(String, UnverifiedId)>>, _>(world))
        .route("/form/one", guarded::<Form<One>, _>(world))
        .route("/form/many", guarded::<Forms<Many>, _>(world))
        .route("/multipart/one", guarded::<MultipartForm<One>, _>(world))
        .route("/multipart/many", guarded::<MultipartForm<Many>, _>(world))
        .route("/triple/{id}", guarded::<Triple, _>(world))
        .route("/form-at/{id}", guarded::<WithForm, _>(world))
        .route("/cached/{id}", guarded::<(Path<UnverifiedId>, Cached<Queries<Many>>), _>(world))
        .nest("/nested/{id}", nested)
        .nest("/list/{id}", list)
        .nest("/named/{id}", named);
    world.app(routes)
}

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";

async fn post(world: &World, uri: &str, content_type: &str, body: String) -> Answer {
    let request = by(&world.ana, Request::post(uri))
        .header(header::CONTENT_TYPE, content_type)
        .body(body.into())
        .unwrap();
    send(&app(world), request).await
}

fn parts(ids: [&str; 2]) -> String {
    let part = |id| format!("--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n{id}\r\n");
    ids.map(part).concat() + "--b--\r\n"
}

/// Sends two `ids` under one name, in every source with repeated names.
async fn twice(world: &World, takes: &str, ids: [&str; 2]) -> [Answer; 3] {
    let [a, b] = ids;
    let pairs = format!("id={a}&id={b}");
    [
        post(world, &format!("/query/{takes}?{pairs}"), FORM, String::new()).await,
        post(world, &format!("/form/{takes}"), FORM, pairs).await,
        post(world, &format!("/multipart/{takes}"), MULTIPART, parts(ids)).await,
    ]
}

fn debug(ids: &[&str]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| UnverifiedId::parse(id).unwrap()).collect();
    format!("{ids:?}")
}

/// One id of each owner.
async fn one_each(world: &World) -> (String, String) {
    (world.upload(&world.ana, "me").await, world.upload(&world.bob, "me").await)
}

#[tokio::test]
async fn g11_each_value_of_a_repeated_key_is_verified() {
    let world = World::new();
    let (anas, bobs) = one_each(&world).await;
    let other = world.upload(&world.ana, "me").await;
    for ids in [[&*anas, &*bobs], [&*bobs, &*anas]] {
        for answer in twice(&world, "many", ids).await {
            assert_eq!(answer.missing(), [&*bobs]);
        }
    }
    for answer in twice(&world, "many", [&anas, &other]).await {
        let got = debug(&[&anas, &other]);
        assert!(answer.text().contains(&got), "{} lacks {got}", answer.text());
    }
    let pairs = format!("/query/pairs?a={anas}&b={bobs}&a={other}");
    assert_eq!(post(&world, &pairs, FORM, String::new()).await.missing(), [&*bobs]);
}

#[tokio::test]
async fn g11_second_value_of_a_single_key_is_refused() {
    let world = World::new();
    let (anas, bobs) = one_each(&world).await;
    for ids in [[&*anas, &*bobs], [&*bobs, &*anas], [&*anas, &*anas]] {
        for answer in twice(&world, "one", ids).await {
            assert!(answer.status.is_client_error(), "{}", answer.text());
        }
    }
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn g11_path_parameters_of_one_name_in_nested_routers_all_count() {
    let world = World::new();
    let (anas, bobs) = one_each(&world).await;
    let other = world.upload(&world.ana, "me").await;
    for route in ["nested", "list", "named"] {
        for [outer, inner] in [[&anas, &bobs], [&bobs, &anas]] {
            let uri = format!("/{route}/{outer}/of/{inner}");
            let answer = post(&world, &uri, FORM, String::new()).await;
            assert!(!answer.status.is_success(), "{uri}: {}", answer.text());
        }
    }
    for route in ["nested", "list"] {
        let uri = format!("/{route}/{anas}/of/{other}");
        let text = post(&world, &uri, FORM, String::new()).await.text().to_owned();
        assert!(text.find(&anas) < text.find(&other) && text.contains(&anas), "{uri}: {text}");
    }
}

#[tokio::test]
async fn g11_id_counts_at_any_place_of_the_request() {
    let world = World::new();
    let (anas, bobs) = one_each(&world).await;
    for foreign in 0..4 {
        let at = |place| if place == foreign { &bobs } else { &anas };
        let json = format!(r#"{{"id": "{}"}}"#, at(2));
        let uri = format!("/triple/{}?id={}", at(0), at(1));
        let triple = post(&world, &uri, "application/json", json).await;
        let uri = format!("/form-at/{}?id={anas}&id={}", at(0), at(1));
        let form = post(&world, &uri, MULTIPART, parts([&anas, at(2)])).await;
        for answer in [triple, form] {
            match foreign {
                3 => assert!(answer.status.is_success(), "{}", answer.text()),
                _ => assert_eq!(answer.missing(), [&*bobs], "{}", answer.text()),
            }
        }
    }
}

#[tokio::test]
async fn g11_cached_extractor_is_verified_like_its_content() {
    let world = World::new();
    let (anas, bobs) = one_each(&world).await;
    for (uri, missing) in [
        (format!("/cached/{anas}?id={anas}"), vec![]),
        (format!("/cached/{bobs}?id={anas}"), vec![&*bobs]),
        (format!("/cached/{anas}?id={anas}&id={bobs}"), vec![&*bobs]),
    ] {
        let answer = post(&world, &uri, FORM, String::new()).await;
        assert_eq!(answer.status.is_success(), missing.is_empty());
        if !missing.is_empty() {
            assert_eq!(answer.missing(), missing, "{uri}");
        }
    }
}
