//! P14: parameters that mail programs and social networks append to a signed URL are ignored, by option.

use axum::http::StatusCode;
use tower_media::{
    Rendition,
    media::{Fit, Transform, Variant},
};

use super::support::{Clock, SECRET, World, anonymous, get};

fn world() -> World {
    let clock = Clock::default();
    let signer = clock.signer("k1", SECRET);
    World::with_signer(
        clock,
        signer.ignoring_parameters(["utm_*", "fbclid", "gclid", "ref", "x-*"]),
    )
}

/// The URL with parameters at its begin, at its end, and between its own.
fn decorated(url: &str, parameter: &str) -> [String; 3] {
    let (path, query) = url.split_once('?').unwrap();
    [
        format!("{path}?{parameter}&{query}"),
        format!("{path}?{query}&{parameter}"),
        format!("{path}?{}", query.replacen("&key", &format!("&{parameter}&key"), 1)),
    ]
}

#[tokio::test]
async fn p14_ignored_parameters_change_nothing_of_the_response() {
    let world = world();
    let (app, id) = (world.app(), world.picture().await);
    let square = Transform::new().with_width(30).with_height(30).with_fit(Fit::Cover);
    for rendition in [Rendition::Original, Variant::Thumbnail.into(), square.into()] {
        let url = world.link(&id, rendition);
        let plain = get(&app, anonymous(&url)).await;
        assert_eq!(plain.status, StatusCode::OK);
        for parameter in [
            "utm_source=x",
            "utm_source=x&utm_medium=email&utm_campaign=%C3%BC",
            "utm_=",
            "fbclid=IwAR0_x-y",
            "gclid",
            "ref=a=b",
            "x-anything=1",
            "utm_source=x&utm_source=y",
        ] {
            for uri in decorated(&url, parameter) {
                let answer = get(&app, anonymous(&uri)).await;
                assert_eq!((answer.status, &answer.body), (plain.status, &plain.body), "{uri}");
                assert_eq!(answer.headers, plain.headers, "{uri}");
            }
        }
    }
}

#[tokio::test]
async fn p14_only_the_listed_parameters_are_ignored() {
    let world = world();
    let (app, id) = (world.app(), world.picture().await);
    let url = world.link(&id, Variant::Thumbnail);
    for parameter in [
        "utm=x",
        "Utm_source=x",
        "%75tm_source=x",
        "fbclid2=x",
        "fbclid%3D=x",
        "y=1",
        "x=1",
        "",
        "&",
        "disposition=attachment",
        "w=1",
        "fbclid=x&y=1",
    ] {
        for uri in decorated(&url, parameter) {
            assert_eq!(get(&app, anonymous(&uri)).await.status, StatusCode::FORBIDDEN, "{uri}");
        }
    }
    // Without the option, a decorated URL is refused.
    let strict = World::new();
    let id = strict.picture().await;
    let url = strict.link(&id, Variant::Thumbnail) + "&utm_source=x";
    assert_eq!(get(&strict.app(), anonymous(&url)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn p14_ignored_parameters_are_not_part_of_new_urls() {
    let (world, strict) = (world(), World::new());
    let id = world.picture().await;
    assert_eq!(world.link(&id, Variant::Large), strict.link(&id, Variant::Large));
}
