//! P14: a signed URL opens the one rendition that it was made for, until it expires.

use std::{collections::HashSet, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, Uri},
};
use tower_media::{
    ErrorKind, InMemory, MediaId, MediaState, Rendition,
    media::{Fit, Transform, Variant},
    routes::{LinkOptions, UrlSigner},
};

use super::support::{Clock, NOW, SECRET, World, ana, anonymous, get, png, signed_in};

const WINDOW: u64 = 15 * 60;
/// The expiry of a URL that was made for one minute.
const EXPIRES: u64 = (NOW + 60).div_ceil(WINDOW) * WINDOW;

async fn world() -> (World, MediaId) {
    let world = World::new();
    let id = world.picture().await;
    (world, id)
}

async fn status(app: &Router, uri: &str) -> StatusCode {
    get(app, anonymous(uri)).await.status
}

fn square() -> Transform {
    Transform::new().with_width(300).with_height(300).with_fit(Fit::Cover)
}

#[tokio::test]
async fn p14_a_signed_url_opens_its_rendition_without_an_owner() {
    let (world, id) = world().await;
    let app = world.app();
    let answer = get(&app, anonymous(world.link(&id, Rendition::Original))).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &png(1000)[..]));
    for rendition in [
        Variant::Thumbnail.into(),
        Variant::Large.into(),
        Rendition::from(square()),
        Rendition::Transform(Transform::new()),
    ] {
        let answer = get(&app, anonymous(world.link(&id, rendition))).await;
        assert_eq!(answer.status, StatusCode::OK, "{rendition:?}");
        assert_eq!(answer.body, world.developed(&id, rendition).await);
    }
}

#[tokio::test]
async fn p14_every_flipped_bit_invalidates_the_url() {
    let (world, id) = world().await;
    let app = world.app();
    for rendition in [Rendition::Original, square().into()] {
        let url = world.link(&id, rendition);
        assert_eq!(status(&app, &url).await, StatusCode::OK);
        let begin = url.find(id.as_str()).unwrap();
        for at in begin..url.len() {
            for bit in 0..8 {
                let mut bytes = url.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(uri) = Uri::try_from(bytes) else { continue };
                let request = Request::get(uri.clone()).body(Body::empty()).unwrap();
                let answer = super::support::send(&app, request).await;
                assert!(answer.status.is_client_error(), "{uri}: {}", answer.status);
            }
        }
    }
}

#[tokio::test]
async fn p14_a_signature_is_good_for_no_other_field() {
    let (world, id) = world().await;
    let app = world.app();
    let other = world.store(&world.ana, png(999), "dog.png").await;
    let (small, large) = (world.link(&id, Variant::Thumbnail), world.link(&id, Variant::Large));
    let query = |url: &str| url.split_once('?').unwrap().1.to_owned();
    let signature = |url: &str| url.rsplit_once('=').unwrap().1.to_owned();
    let free = world.link(&id, square());
    let saved = LinkOptions::new(Rendition::Original).as_attachment();
    let saved = world.media.signed_url(&id, saved, Duration::from_secs(60)).unwrap();
    let shown = world.link(&id, Rendition::Original);

    for forged in [
        small.replace(id.as_str(), other.as_str()),
        format!("/media/{id}/file/large?{}", query(&small)),
        format!("/media/{id}/file?{}", query(&small)),
        format!("/media/{id}/transform?{}", query(&small)),
        format!("/media/{id}/file/thumb?{}", query(&free)),
        free.replace("w=300", "w=301"),
        free.replace("h=300", "h=16384"),
        free.replace("q=85", "q=100"),
        free.replace("fit=cover", "fit=fill"),
        free.replace("format=webp", "format=png"),
        small.replace(&EXPIRES.to_string(), &(EXPIRES + WINDOW).to_string()),
        small.replace(&EXPIRES.to_string(), &format!("0{EXPIRES}")),
        small.replace(&EXPIRES.to_string(), &format!("%2B{EXPIRES}")),
        small.replace(&EXPIRES.to_string(), &u64::MAX.to_string()),
        small.replace("key=k1", "key=k2"),
        small.replace("key=k1", "key="),
        small.replace(&signature(&small), &signature(&large)),
        small.replace(&signature(&small), ""),
        small.replace(&signature(&small), &format!("{}=", signature(&small))),
        shown.replace("expires", "disposition=attachment&expires"),
        saved.replace("disposition=attachment&", ""),
        // Other spellings, which caches would keep separately.
        format!("{small}&x=1"),
        small.replace("expires", "x=1&expires"),
        small.replace("expires", "%65xpires"),
        small.replace("/thumb", "/%74humb"),
        small.replace(
            id.as_str(),
            &format!("%{:02X}{}", id.as_str().as_bytes()[0], &id.as_str()[1..]),
        ),
        format!("{free}&w=1"),
        free.replace("w=300", "w=0300"),
    ] {
        assert_ne!(forged, small);
        let answer = get(&app, anonymous(&forged)).await;
        assert!(answer.status.is_client_error(), "{forged}: {}", answer.status);
    }
    for genuine in [small, large, free, saved, shown] {
        assert_eq!(status(&app, &genuine).await, StatusCode::OK, "{genuine}");
    }
}

#[tokio::test]
async fn p14_a_url_expires_to_the_second() {
    let (world, id) = world().await;
    let (app, url) = (world.app(), world.link(&id, Variant::Thumbnail));
    assert!(url.contains(&format!("expires={EXPIRES}&")), "{url}");
    for (time, expected) in [
        (EXPIRES - 1, StatusCode::OK),
        (EXPIRES, StatusCode::FORBIDDEN),
        (EXPIRES + 1, StatusCode::FORBIDDEN),
        (u64::MAX >> 2, StatusCode::FORBIDDEN),
        // A clock that is far behind: the expiry exceeds the longest lifetime.
        (0, StatusCode::FORBIDDEN),
    ] {
        world.clock.set(time);
        assert_eq!(status(&app, &url).await, expected, "at {time}");
    }
}

#[tokio::test]
async fn p14_urls_of_one_window_are_equal_and_cacheable() {
    let (world, id) = world().await;
    let app = world.app();
    let begin = EXPIRES - WINDOW;
    let urls: HashSet<String> = (begin - 59..=begin + 840)
        .step_by(29)
        .map(|time| {
            world.clock.set(time);
            world.link(&id, Variant::Thumbnail)
        })
        .collect();
    assert_eq!(urls.len(), 1);

    let url = urls.iter().next().unwrap();
    for left in [1, 60, WINDOW] {
        world.clock.set(EXPIRES - left);
        let answer = get(&app, anonymous(url)).await;
        assert_eq!(answer.header("cache-control"), format!("public, max-age={left}"));
        let same = anonymous(url).header("if-none-match", answer.header("etag"));
        let answer = get(&app, same).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
        assert_eq!(answer.header("cache-control"), format!("public, max-age={left}"));
    }
}

#[tokio::test]
async fn p14_no_url_lives_longer_than_the_bound() {
    let (world, id) = world().await;
    let week = Duration::from_secs(7 * 24 * 3600);
    assert!(world.media.signed_url(&id, Variant::Large, week).is_ok());
    let longer = world.media.signed_url(&id, Variant::Large, week + Duration::from_secs(1));
    assert_eq!(longer.unwrap_err().kind(), ErrorKind::InvalidInput);

    // Made by another process with a longer limit.
    let clock = Clock::default();
    let generous = clock.signer("k1", SECRET).with_longest(week * 100);
    let generous = MediaState::builder(InMemory::new()).url_signer(generous).build();
    let url = generous.signed_url(&id, Variant::Large, week * 2).unwrap();
    assert_eq!(status(&world.app(), &url).await, StatusCode::FORBIDDEN);
    world.clock.set(NOW + week.as_secs());
    assert_eq!(status(&world.app(), &url).await, StatusCode::OK);
}

#[tokio::test]
async fn p14_keys_rotate_and_a_dropped_key_opens_nothing() {
    let clock = Clock::default();
    let other = [9; 32];
    let old = clock.signer("k1", SECRET);
    let both = clock.signer("k2", &other).also_accepting("k1", SECRET).unwrap();
    let new = clock.signer("k2", &other);
    let impostor = clock.signer("k1", &other);

    let world = World::with_signer(clock.clone(), both);
    let id = world.picture().await;
    let made_by = |signer: UrlSigner| {
        let media = MediaState::builder(InMemory::new()).url_signer(signer).build();
        media.signed_url(&id, Variant::Thumbnail, Duration::from_secs(60)).unwrap()
    };
    let by_both = world.link(&id, Variant::Thumbnail);
    assert_eq!(by_both, made_by(new.clone()));
    assert_eq!(status(&world.app(), &by_both).await, StatusCode::OK);
    assert_eq!(status(&world.app(), &made_by(old.clone())).await, StatusCode::OK);
    assert_eq!(status(&world.app(), &made_by(impostor)).await, StatusCode::FORBIDDEN);

    let world = World::with_signer(clock.clone(), new);
    let id = world.picture().await;
    let media = MediaState::builder(InMemory::new()).url_signer(old).build();
    let old = media.signed_url(&id, Variant::Thumbnail, Duration::from_secs(60)).unwrap();
    assert_eq!(status(&world.app(), &old).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn p14_weak_keys_are_refused_and_secrets_are_hidden() {
    for (id, secret) in [
        ("k1", &SECRET[..31]),
        ("k1", b""),
        ("", SECRET),
        ("k 1", SECRET),
        ("k&x=1", SECRET),
        ("ключ", SECRET),
    ] {
        let refused = UrlSigner::new(id, secret).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{id}");
        assert!(!format!("{refused:?}").contains("a secret"));
    }
    let signer = UrlSigner::new("k1", SECRET).unwrap();
    assert!(signer.clone().also_accepting("k1", [7; 32]).is_err());
    let builder = MediaState::builder(InMemory::new()).url_signer(signer.clone());
    let shown = format!("{signer:?} {builder:?}");
    assert!(shown.contains("k1"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("97, 32, 115"), "{shown}");
}

#[tokio::test]
async fn p14_without_a_signer_signed_urls_are_refused() {
    let (world, id) = world().await;
    let url = world.link(&id, Variant::Thumbnail);
    let bare = MediaState::new(world.backend.clone());
    let made = bare.signed_url(&id, Variant::Thumbnail, Duration::from_secs(60));
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported);
    let app = signed_in(bare.delivery_routes());
    assert_eq!(status(&app, &url).await, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&app, ana(format!("/media/{id}/file"))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn p14_an_expired_link_still_serves_its_owner() {
    let (world, id) = world().await;
    let (app, url) = (world.app(), world.link(&id, Rendition::Original));
    world.clock.set(EXPIRES);
    let answer = get(&app, ana(&url)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let refused = get(&app, anonymous(&url)).await;
    assert_eq!(refused.json()["type"], "urn:problem:tower-media:invalid-link");
}

#[tokio::test]
async fn p14_parameters_that_others_add_are_ignored_by_option() {
    let clock = Clock::default();
    let signer = clock.signer("k1", SECRET).ignoring_parameters(["fbclid", "utm_*"]);
    let world = World::with_signer(clock, signer);
    let id = world.picture().await;
    let app = world.app();
    for rendition in [Rendition::Original, Transform::new().with_width(40).into()] {
        let url = world.link(&id, rendition);
        let plain = get(&app, anonymous(&url)).await;
        for added in ["&fbclid=x", "&utm_source=mail&utm_medium=a%26b", "&fbclid=1&fbclid=2"] {
            let decorated = get(&app, anonymous(format!("{url}{added}"))).await;
            assert_eq!(decorated.status, StatusCode::OK, "{added}");
            assert_eq!(decorated.body, plain.body);
        }
        let (path, query) = url.split_once('?').unwrap();
        let first = format!("{path}?utm_id=1&{query}");
        assert_eq!(status(&app, &first).await, StatusCode::OK);
        for added in
            ["&x=1", "&fbclid2=1", "&autm_x=1", "&w=9", "&", "&%66bclid=x", "&disposition=x"]
        {
            let other = format!("{url}{added}");
            assert!(status(&app, &other).await.is_client_error(), "{added}");
        }
    }
    let url = World::new().link(&id, Rendition::Original) + "&fbclid=x";
    assert_eq!(status(&World::new().app(), &url).await, StatusCode::FORBIDDEN);
}

#[test]
fn p14_parameters_of_the_signature_cannot_be_ignored() {
    for name in ["", "*", "w", "expires", "sig*", "e*", "signature"] {
        let signer = UrlSigner::new("k1", SECRET).unwrap();
        let ignoring = std::panic::AssertUnwindSafe(|| signer.ignoring_parameters([name]));
        let ignoring = std::panic::catch_unwind(ignoring);
        assert!(ignoring.is_err(), "{name}");
    }
}
