//! P16: an upload needs an owner, and a page of another site cannot send one with the owner's cookies.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode},
};
use futures_util::stream;
use tower_media::{ErrorKind, routes::UploadPolicy};

use super::support::{Form, World, file, png, send, signed_in};

fn policy() -> UploadPolicy {
    UploadPolicy::images().scope("me")
}

/// A body that must not be read.
fn unread() -> Body {
    Body::from_stream(stream::once(async { panic!("the body was read") as Result<&str, String> }))
}

#[tokio::test]
async fn p16_without_an_owner_it_is_401_and_the_body_is_unread() {
    let world = World::new();
    let app = signed_in(world.media.upload_routes("/up", policy()));
    let mut request = Form::new().unsigned();
    *request.body_mut() = unread();
    assert_eq!(send(&app, request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn p16_pages_of_other_origins_are_refused_unless_they_are_allowed() {
    let world = World::new();
    let allowed = policy().allowed_origins(["https://app.example.org"]).unwrap();
    let app = signed_in(world.media.upload_routes("/up", allowed));
    for (site, origin, is_taken) in [
        // Not a browser, or a browser without a page.
        (None, None, true),
        (Some("none"), None, true),
        (Some("same-origin"), Some("https://example.org"), true),
        (Some("same-site"), Some("https://other.example.org"), false),
        (Some("cross-site"), Some("https://evil.example"), false),
        (Some("cross-site"), Some("null"), false),
        (Some("cross-site"), None, false),
        (Some("SAME-ORIGIN"), Some("https://evil.example"), false),
        (Some("same-site"), Some("https://app.example.org"), true),
        (Some("cross-site"), Some("https://app.example.org"), true),
        (Some("cross-site"), Some("https://app.example.org.evil.example"), false),
        (Some("cross-site"), Some("http://app.example.org"), false),
        // Browsers that send no `Sec-Fetch-Site`.
        (None, Some("https://example.org"), true),
        (None, Some("https://evil.example"), false),
        (None, Some("https://example.org:8443"), false),
        (None, Some("null"), false),
        (None, Some("https://app.example.org"), true),
    ] {
        let mut request = Form::new().with(file("a.png", &png(200))).by("ana");
        let headers = request.headers_mut();
        headers.insert("host", HeaderValue::from_static("example.org"));
        for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        if !is_taken {
            *request.body_mut() = unread();
        }
        let answer = send(&app, request).await;
        let status = if is_taken { StatusCode::CREATED } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, status, "{site:?} {origin:?}");
        if !is_taken {
            assert_eq!(answer.json()["type"], "urn:problem:tower-media:cross-site-upload");
        }
    }
}

#[test]
fn p16_an_invalid_origin_is_refused() {
    for origin in ["example.org", "https://example.org/path", "*", "null", "file:///a"] {
        let refused = policy().allowed_origins([origin]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{origin}");
    }
}

#[tokio::test]
async fn p16_a_proxy_that_changes_the_host_is_named() {
    let world = World::new();
    let app = signed_in(world.media.upload_routes("/up", policy()));
    let mut request = Form::new().with(file("a.png", &png(200))).by("ana");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("10.0.0.7:3000"));
    headers.insert("origin", HeaderValue::from_static("http://photos.example.org"));
    let answer = send(&app, request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let detail = answer.json()["detail"].to_string();
    for part in ["http://photos.example.org", "10.0.0.7:3000", "proxy"] {
        assert!(detail.contains(part), "{detail}");
    }
}
