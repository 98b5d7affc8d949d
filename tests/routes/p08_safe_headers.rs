//! P8: every answer that has to do with a stranger's bytes keeps a browser from running them.

use axum::http::{Method, StatusCode};
use std::time::Duration;
use tower_media::{
    ErrorKind, LinkOptions, MediaState, Rendition, Variant,
    routes::{DeliveryRoutes, ResourcePolicy},
    testkit::Fault,
};

use super::support::{Answer, World, ana, get, nobody, png, signed_in};

fn assert_safe(answer: &Answer, what: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    let policy = answer.header("content-security-policy");
    assert_eq!(policy, "default-src 'none'; sandbox", "{what}");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{what}");
}

#[tokio::test]
async fn p08_headers_are_safe_whatever_the_answer() {
    let world = World::new();
    let (app, id) = (world.app(), world.picture().await);
    let path = format!("/media/{id}/file");
    let tag = get(&app, ana(&path)).await.header("etag").to_owned();
    let not_found = "/media/none/file".to_owned();
    let free = format!("/media/{id}/transform?w=1");
    let head = |uri: &str| ana(uri).method(Method::HEAD);
    for (what, request, status) in [
        ("whole", ana(&path), 200),
        ("head", head(&path), 200),
        ("part", ana(&path).header("range", "bytes=0-0"), 206),
        ("not modified", ana(&path).header("if-none-match", &tag), 304),
        ("head, not modified", head(&path).header("if-none-match", &tag), 304),
        ("precondition", ana(&path).header("if-match", "\"x\""), 412),
        ("range", ana(&path).header("range", "bytes=5000-"), 416),
        ("not found", ana(&not_found), 404),
        ("head, not found", head(&not_found), 404),
        ("no id", ana("/media/a%20b/file"), 404),
        ("nobody", nobody(&path), 401),
        ("unknown rendition", ana(format!("{path}/huge")), 404),
        ("unsigned", ana(&free), 403),
        ("nonsense", ana(free.replace("w=1", "w=x")), 422),
        ("linked", nobody(world.link(&id, Variant::Large)), 200),
        (
            "linked, range",
            nobody(world.link(&id, Rendition::Original)).header("range", "bytes=90000-"),
            416,
        ),
    ] {
        let answer = get(&app, request).await;
        assert_eq!(answer.status, StatusCode::from_u16(status).unwrap(), "{what}");
        assert_safe(&answer, what);
        if status >= 400 && what != "head, not found" {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
            assert_eq!(answer.header("cache-control"), "no-store", "{what}");
            assert_eq!(answer.json()["status"], status, "{what}");
        }
    }
    world.backend.set(Fault::Fail(ErrorKind::Unavailable));
    let answer = get(&app, ana(&path)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_safe(&answer, "an outage");
}

#[tokio::test]
async fn p08_what_is_not_a_raster_image_is_saved_and_never_shown() {
    let world = World::new();
    let app = world.app();
    let page: &[u8] = b"<!DOCTYPE html><script>alert(1)</script>";
    let drawing: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>";
    for (bytes, name, kind) in [
        (png(400), "cat.png", "inline; filename=\"cat.png\""),
        (page.to_vec(), "cat.png", "attachment; filename=\"cat.png\""),
        (drawing.to_vec(), "a.svg", "attachment; filename=\"a.svg\""),
    ] {
        let id = world.store(&world.ana, bytes, name).await;
        for request in
            [ana(format!("/media/{id}/file")), nobody(world.link(&id, Rendition::Original))]
        {
            let answer = get(&app, request).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header("content-disposition"), kind);
            assert_safe(&answer, name);
        }
    }
}

#[tokio::test]
async fn p08_a_link_can_say_that_a_picture_is_saved() {
    let world = World::new();
    let id = world.picture().await;
    let saved = LinkOptions::new(Rendition::Original).as_attachment();
    let url = world.media.signed_url(&id, saved, Duration::from_secs(60)).unwrap();
    let answer = get(&world.app(), nobody(&url)).await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"cat.png\"");
    let same = nobody(&url).header("if-none-match", answer.header("etag"));
    let same = get(&world.app(), same).await;
    assert_eq!(same.header("content-disposition"), "attachment; filename=\"cat.png\"");
}

#[tokio::test]
async fn p08_only_links_can_be_opened_to_pages_of_other_origins() {
    let world = World::new();
    let id = world.picture().await;
    let routes = |media: &MediaState| DeliveryRoutes::new(media.clone());
    for (policy, text) in
        [(ResourcePolicy::SameSite, "same-site"), (ResourcePolicy::CrossOrigin, "cross-origin")]
    {
        let app = signed_in(routes(&world.media).links_embedded_by(policy).into_router());
        let linked = get(&app, nobody(world.link(&id, Variant::Large))).await;
        assert_eq!(linked.header("cross-origin-resource-policy"), text);
        let own = get(&app, ana(format!("/media/{id}/file"))).await;
        assert_eq!(own.header("cross-origin-resource-policy"), "same-origin");
    }
}
