//! G15: only the guard makes a proof. The compile-fail tests are in `tests/ui`.

use std::{
    borrow::Borrow,
    fmt::Display,
    ops::Deref,
    str::FromStr,
    sync::{Arc, Mutex},
};

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, Request},
    http::{HeaderName, StatusCode},
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use tower_media::{
    MediaId, MediaIds, OwnedMedia, Scopes, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    extract::VerifyMediaRejection,
};

use super::support::{World, get as get_request, owner, post_json, send};

#[derive(Debug, Clone, Deserialize, MediaIds)]
struct Avatar {
    id: UnverifiedId,
}

/// Responds with the owner and the ids of the proof.
async fn proven(VerifiedMedia((), owned): VerifiedMedia) -> String {
    let ids = owned.ids().iter().map(MediaId::as_str).collect::<Vec<_>>();
    format!("{} owns {}", owned.owner().subject(), ids.join(" "))
}

fn guard(world: &World) -> VerifyMediaLayer<Json<Avatar>> {
    VerifyMediaLayer::new(world.media.clone())
}

/// Header names that could be trusted as a proof or an owner.
const HEADERS: [&str; 12] = [
    "x-verified-media",
    "x-media-verified",
    "x-owned-media",
    "x-owner",
    "x-media-owner",
    "x-user-id",
    "x-subject",
    "x-tenant",
    "x-scopes",
    "owner",
    "verified-media",
    "tower-media-owner",
];

fn with_headers(mut request: Request, value: &str) -> Request {
    for name in HEADERS {
        let name = HeaderName::from_static(name);
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn g15_headers_do_not_replace_the_layer() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let app = world.app(Router::new().route("/", get(proven)));
    for value in [&*id, "ana", "true"] {
        let request = with_headers(get_request(&world.ana, "/"), value);
        assert_eq!(send(&app, request).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[tokio::test]
async fn g15_headers_do_not_name_the_owner() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let app = world.app(Router::new().route("/", post(proven).layer(guard(&world))));
    let body = json!({ "id": id });

    let bob = with_headers(post_json(&world.bob, "/", &body), "ana");
    assert_eq!(send(&app, bob).await.status, StatusCode::NOT_FOUND);

    let mut anonymous = with_headers(post_json(&world.bob, "/", &body), "ana");
    anonymous.headers_mut().remove("x-user");
    assert_eq!(send(&app, anonymous).await.status, StatusCode::UNAUTHORIZED);
}

/// A layer that inserts everything that resembles a proof of Ana's ownership.
async fn forge(mut request: Request, next: Next) -> Response {
    let id = MediaId::from_trusted("forged").unwrap();
    let unverified = UnverifiedId::parse("forged").unwrap();
    let owned = OwnedMedia::for_test(owner("ana"), Scopes::any(), [id.clone()]);
    let payload = || Json(Avatar { id: unverified.clone() });

    let extensions = request.extensions_mut();
    extensions.insert(owned.clone());
    extensions.insert(Some(owned.clone()));
    extensions.insert(Arc::new(owned.clone()));
    extensions.insert(Extension(owned.clone()));
    extensions.insert(payload());
    extensions.insert((payload(), owned.clone()));
    extensions.insert(Arc::new(VerifiedMedia(payload(), owned.clone())));
    extensions.insert(Arc::new(VerifiedMedia((), owned.clone())));
    extensions.insert(Arc::new(Mutex::new(Some(payload()))));
    extensions.insert(vec![id.clone()]);
    extensions.insert(id);
    next.run(request).await
}

#[tokio::test]
async fn g15_look_alikes_in_the_extensions_do_not_replace_the_layer() {
    async fn with_value(_: VerifiedMedia<Json<Avatar>>) {}
    async fn optional(proof: Option<VerifiedMedia>) -> String {
        format!("{proof:?}")
    }
    let world = World::new();
    let routes = Router::new()
        .route("/bare", get(proven))
        .route("/value", get(with_value))
        .route("/optional", get(optional));
    let app = world.app(routes.layer(from_fn(forge)));
    for uri in ["/bare", "/value"] {
        let answer = send(&app, get_request(&world.ana, uri)).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{uri}");
        assert!(answer.text().contains("VerifyMediaLayer"), "{uri}: {}", answer.text());
    }
    assert_eq!(send(&app, get_request(&world.ana, "/optional")).await.text(), "None");
}

#[tokio::test]
async fn g15_look_alikes_in_the_extensions_do_not_change_the_proof() {
    async fn with_value(VerifiedMedia(Json(avatar), owned): VerifiedMedia<Json<Avatar>>) -> String {
        format!("{} owns {}", owned.owner().subject(), owned[&avatar.id])
    }
    let world = World::new();
    let [of_ana, of_bob] =
        [world.upload(&world.ana, "me").await, world.upload(&world.bob, "me").await];
    let routes = Router::new()
        .route("/bare", post(proven).layer(guard(&world)))
        .route("/value", post(with_value).layer(guard(&world)));
    let app = world.app(routes.layer(from_fn(forge)));
    for uri in ["/bare", "/value"] {
        for foreign in [&*of_ana, "forged"] {
            let request = post_json(&world.bob, uri, &json!({ "id": foreign }));
            assert_eq!(send(&app, request).await.status, StatusCode::NOT_FOUND, "{uri}");
        }
        let answer = send(&app, post_json(&world.bob, uri, &json!({ "id": of_bob }))).await;
        assert_eq!(answer.text(), format!("bob owns {of_bob}"), "{uri}");
    }
}

#[tokio::test]
async fn g15_owner_counts_only_in_its_extension() {
    // In other wrapper types, and in a layer behind the guard.
    async fn wrapped(mut request: Request, next: Next) -> Response {
        let ana = owner("ana");
        let extensions = request.extensions_mut();
        extensions.insert(Some(ana.clone()));
        extensions.insert(Arc::new(ana.clone()));
        extensions.insert(Extension(ana.clone()));
        extensions.insert(ana.subject().to_owned());
        next.run(request).await
    }
    let world = World::new();
    let [of_ana, of_bob] =
        [world.upload(&world.ana, "me").await, world.upload(&world.bob, "me").await];
    let routes = Router::new()
        .route("/", post(proven))
        .layer(Extension(world.ana.clone()))
        .layer(guard(&world))
        .layer(from_fn(wrapped));
    let app = world.app(routes);

    let mut anonymous = post_json(&world.ana, "/", &json!({ "id": of_ana }));
    anonymous.headers_mut().remove("x-user");
    let answer = send(&app, anonymous).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let reason = answer.extensions.get();
    assert!(matches!(reason, Some(VerifyMediaRejection::MissingOwner(_))), "{reason:?}");

    let answer = send(&app, post_json(&world.bob, "/", &json!({ "id": of_ana }))).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = send(&app, post_json(&world.bob, "/", &json!({ "id": of_bob }))).await;
    assert_eq!(answer.text(), format!("bob owns {of_bob}"));
}

#[tokio::test]
async fn g15_proof_is_not_visible_to_another_extractor() {
    #[derive(Clone, Deserialize, MediaIds)]
    struct Twin {
        id: UnverifiedId,
    }
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let guarded = || VerifyMediaLayer::<Query<Avatar>>::new(world.media.clone());
    let routes = Router::new()
        .route("/same", get(async |_: VerifiedMedia<Query<Avatar>>| ()).layer(guarded()))
        .route("/wrapper", get(async |_: VerifiedMedia<Json<Avatar>>| ()).layer(guarded()))
        .route("/path", get(async |_: VerifiedMedia<Path<Avatar>>| ()).layer(guarded()))
        .route("/payload", get(async |_: VerifiedMedia<Query<Twin>>| ()).layer(guarded()))
        .route("/inner", get(async |_: VerifiedMedia<Avatar>| ()).layer(guarded()))
        .route("/option", get(async |_: VerifiedMedia<Option<Query<Avatar>>>| ()).layer(guarded()))
        .route("/tuple", get(async |_: VerifiedMedia<(Query<Avatar>,)>| ()).layer(guarded()));
    let app = world.app(routes);
    let status = async |route: &str| {
        send(&app, get_request(&world.ana, &format!("{route}?id={id}"))).await.status
    };
    assert_eq!(status("/same").await, StatusCode::OK);
    for other in ["/wrapper", "/path", "/payload", "/inner", "/option", "/tuple"] {
        assert_eq!(status(other).await, StatusCode::INTERNAL_SERVER_ERROR, "{other}");
    }
}

#[tokio::test]
async fn g15_a_proof_does_not_outlive_its_request() {
    let world = World::new();
    let id = world.upload(&world.ana, "me").await;
    let routes = Router::new()
        .route("/guarded", post(proven).layer(guard(&world)))
        .route("/bare", get(proven));
    let app = world.app(routes);
    let passed = send(&app, post_json(&world.ana, "/guarded", &json!({ "id": id }))).await;
    assert_eq!(passed.status, StatusCode::OK);

    // Neither the response nor the application keeps it for a later request.
    let mut replayed = get_request(&world.ana, "/bare");
    *replayed.extensions_mut() = passed.extensions;
    for request in [replayed, get_request(&world.ana, "/bare")] {
        assert_eq!(send(&app, request).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

/// Evaluates whether a type implements a trait: an inherent constant shadows that of a trait.
macro_rules! implements {
    ($type:ty: $($bound:tt)+) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used where the bound does not hold")]
        trait Otherwise {
            const ANSWER: bool = false;
        }
        impl<T: ?Sized> Otherwise for Probe<T> {}
        #[allow(dead_code, reason = "used where the bound holds")]
        impl<T: ?Sized + $($bound)+> Probe<T> {
            const ANSWER: bool = true;
        }
        <Probe<$type>>::ANSWER
    }};
}

#[test]
fn g15_no_conversion_makes_a_proof() {
    assert!(
        implements!(String: DeserializeOwned + Default + From<&'static str>),
        "the probe works"
    );

    assert!(!implements!(OwnedMedia: Default));
    assert!(!implements!(OwnedMedia: DeserializeOwned));
    assert!(!implements!(OwnedMedia: FromIterator<MediaId>));
    assert!(!implements!(OwnedMedia: From<Vec<MediaId>>));
    assert!(!implements!(OwnedMedia: Extend<MediaId>));
    assert!(!implements!(VerifiedMedia: Default));
    assert!(!implements!(VerifiedMedia: DeserializeOwned));
    assert!(!implements!(VerifiedMedia<Avatar>: From<Avatar>));
}

#[test]
fn g15_no_conversion_of_text_makes_a_media_id() {
    assert!(!implements!(MediaId: Default));
    assert!(!implements!(MediaId: DeserializeOwned));
    assert!(!implements!(MediaId: FromStr));
    assert!(!implements!(MediaId: From<String>));
    assert!(!implements!(MediaId: From<&'static str>));
    assert!(!implements!(MediaId: TryFrom<String, Error: Display>));
    assert!(!implements!(MediaId: TryFrom<&'static str, Error: Display>));
    assert!(!implements!(MediaId: From<UnverifiedId>));
    assert!(!implements!(UnverifiedId: Into<MediaId>));
}

#[test]
fn g15_an_unverified_id_cannot_be_read() {
    assert!(implements!(MediaId: Display + Serialize + AsRef<str>), "the probe works");

    assert!(!implements!(UnverifiedId: Display));
    assert!(!implements!(UnverifiedId: Serialize));
    assert!(!implements!(UnverifiedId: AsRef<str>));
    assert!(!implements!(UnverifiedId: AsRef<[u8]>));
    assert!(!implements!(UnverifiedId: AsRef<MediaId>));
    assert!(!implements!(UnverifiedId: Borrow<str>));
    assert!(!implements!(UnverifiedId: Borrow<MediaId>));
    assert!(!implements!(UnverifiedId: Deref));
    assert!(!implements!(UnverifiedId: Into<String>));
    assert!(!implements!(UnverifiedId: Into<Arc<str>>));
    assert!(!implements!(UnverifiedId: Default));
}
