//! P12: owners request transforms by name; any other transform needs a signed URL.

use axum::{Router, http::StatusCode};
use tower_media::{
    ErrorKind, MediaState, Rendition,
    media::{Fit, Format, Transform, Variant},
    routes::DeliveryRoutes,
};

use super::support::{World, ana, anonymous, get, signed_in};

fn avatar() -> Transform {
    Transform::new().with_width(96).with_height(96).with_fit(Fit::Cover).with_format(Format::Png)
}

fn app(media: &MediaState) -> Router {
    let routes = DeliveryRoutes::new(media.clone()).transform("avatar", avatar()).unwrap();
    signed_in(routes.into_router())
}

#[tokio::test]
async fn p12_owners_get_named_renditions() {
    let world = World::new();
    let (app, id) = (app(&world.media), world.picture().await);
    for (name, rendition) in [
        ("thumb", Rendition::from(Variant::Thumbnail)),
        ("medium", Variant::Medium.into()),
        ("large", Variant::Large.into()),
        ("avatar", avatar().into()),
    ] {
        let answer = get(&app, ana(format!("/media/{id}/file/{name}"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(answer.body, world.developed(&id, rendition).await, "{name}");
        let is_png = name == "avatar";
        let content_type = if is_png { "image/png" } else { "image/webp" };
        assert_eq!(answer.header("content-type"), content_type, "{name}");
    }
    for name in ["huge", "THUMB", "toString", "__proto__", "thumbnail", "original", "avatar%20"] {
        let answer = get(&app, ana(format!("/media/{id}/file/{name}"))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
        assert_eq!(answer.json()["type"], "urn:problem:tower-media:no-such-rendition", "{name}");
    }
}

#[tokio::test]
async fn p12_an_unnamed_transform_needs_a_signature_even_of_owners() {
    let world = World::new();
    let (app, id) = (app(&world.media), world.picture().await);
    for query in ["", "?w=300", "?w=300&h=300&fit=cover&format=png&q=85"] {
        for request in [ana, anonymous] {
            let answer = get(&app, request(format!("/media/{id}/transform{query}"))).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{query}");
        }
    }
    assert_eq!(world.backend.questions(), 0);
}

#[tokio::test]
async fn p12_an_invalid_parameter_is_422_and_named() {
    let world = World::new();
    let (app, id) = (app(&world.media), world.picture().await);
    for (query, named) in [
        ("w=-1", "`w`"),
        ("h=ten", "`h`"),
        ("w=1&w=2", "`w`"),
        ("fit=stretch", "`fit` is not one of inside, cover, contain, fill, outside"),
        ("format=gif", "`format` is not one of webp, jpeg, png, avif"),
        ("q=1.5", "`q`"),
    ] {
        let answer = get(&app, anonymous(format!("/media/{id}/transform?{query}"))).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(named), "{query}: {detail}");
    }
}

#[tokio::test]
async fn p05_a_broken_image_is_415_and_never_the_original() {
    let world = World::new();
    let app = app(&world.media);
    for (original, reason) in [
        (&b"just a text"[..], "unsupported"),
        (include_bytes!("../fixtures/images/garbage.jpg"), "unreadable"),
        (include_bytes!("../fixtures/images/truncated-header.jpg"), "unreadable"),
        (include_bytes!("../fixtures/images/wide-17000x8.png"), "too_large"),
    ] {
        let id = world.store(&world.ana, original, "cat.jpg").await;
        for name in ["thumb", "medium", "large", "avatar"] {
            let answer = get(&app, ana(format!("/media/{id}/file/{name}"))).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.json()["reason"], reason);
            assert_ne!(answer.body, original);
        }
        let linked = get(&app, anonymous(world.link(&id, avatar()))).await;
        assert_eq!(linked.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(linked.json()["reason"], reason);
        assert_eq!(linked.header("cache-control"), "no-store");
    }
}

#[test]
fn p12_a_transform_name_is_unique_and_fits_a_path() {
    let media = MediaState::in_memory();
    for name in ["", "thumb", "large", "a/b", "a.b", "ü", &"a".repeat(65)] {
        let refused = DeliveryRoutes::new(media.clone()).transform(name, avatar()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{name}");
    }
    let once = DeliveryRoutes::new(media).transform("avatar", avatar()).unwrap();
    assert!(once.transform("avatar", avatar()).is_err());
}
