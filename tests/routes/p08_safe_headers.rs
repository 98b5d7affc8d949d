//! P8: the headers of every response keep a browser from running uploaded bytes.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
};
use tower_media::{
    ErrorKind, MediaId, MediaState, Rendition,
    media::{Transform, Variant},
    routes::{DeliveryRoutes, LinkOptions, ResourcePolicy, ServiceKeys, UploadPolicy},
    testkit::Fault,
};

use super::support::{Answer, Form, World, ana, anonymous, file, get, png, send, signed_in, text};

fn assert_safe(answer: &Answer, what: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    let policy = answer.header("content-security-policy");
    assert_eq!(policy, "default-src 'none'; sandbox", "{what}");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{what}");
}

#[tokio::test]
async fn p08_every_response_has_the_safe_headers() {
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
        ("no owner", anonymous(&path), 401),
        ("unknown rendition", ana(format!("{path}/huge")), 404),
        ("unsigned", ana(&free), 403),
        ("invalid parameter", ana(free.replace("w=1", "w=x")), 422),
        ("linked", anonymous(world.link(&id, Variant::Large)), 200),
        (
            "linked, range",
            anonymous(world.link(&id, Rendition::Original)).header("range", "bytes=90000-"),
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
async fn p08_only_raster_images_are_inline() {
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
            [ana(format!("/media/{id}/file")), anonymous(world.link(&id, Rendition::Original))]
        {
            let answer = get(&app, request).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header("content-disposition"), kind);
            assert_safe(&answer, name);
        }
    }
}

#[tokio::test]
async fn p08_a_signed_url_can_make_an_image_an_attachment() {
    let world = World::new();
    let id = world.picture().await;
    let saved = LinkOptions::new(Rendition::Original).as_attachment();
    let url = world.media.signed_url(&id, saved, Duration::from_secs(60)).unwrap();
    let answer = get(&world.app(), anonymous(&url)).await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"cat.png\"");
    let same = anonymous(&url).header("if-none-match", answer.header("etag"));
    let same = get(&world.app(), same).await;
    assert_eq!(same.header("content-disposition"), "attachment; filename=\"cat.png\"");
}

#[tokio::test]
async fn p08_only_signed_urls_are_open_to_other_origins() {
    let world = World::new();
    let id = world.picture().await;
    let routes = |media: &MediaState| DeliveryRoutes::new(media.clone());
    for (policy, text) in
        [(ResourcePolicy::SameSite, "same-site"), (ResourcePolicy::CrossOrigin, "cross-origin")]
    {
        let app =
            signed_in(routes(&world.media).cross_origin_resource_policy(policy).into_router());
        let linked = get(&app, anonymous(world.link(&id, Variant::Large))).await;
        assert_eq!(linked.header("cross-origin-resource-policy"), text);
        let own = get(&app, ana(format!("/media/{id}/file"))).await;
        assert_eq!(own.header("cross-origin-resource-policy"), "same-origin");
    }
}

/// Types that a browser runs, applies or interprets, whatever the other headers are.
const ACTIVE: [&str; 12] = [
    "text/html",
    "application/xhtml+xml",
    "image/svg+xml",
    "text/xml",
    "application/xslt+xml",
    "text/javascript",
    "application/javascript",
    "Application/X-ECMAScript; charset=utf-8",
    "text/css",
    "application/wasm",
    "multipart/x-mixed-replace",
    "application/signed-exchange;v=b3",
];

/// Bytes without magic bytes of any type.
const SCRIPT: &[u8] = b"self.onmessage=e=>e;/* <svg/onload=alert(1)> */";

fn assert_inert(answer: &Answer, what: &str) {
    assert_safe(answer, what);
    assert_eq!(answer.header("content-type"), "application/octet-stream", "{what}");
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment"), "{what}: {disposition}");
}

#[tokio::test]
async fn p08_a_declared_type_never_makes_a_file_active() {
    let world = World::new();
    let media = &world.media;
    let policy = UploadPolicy::of_types(ACTIVE.map(|kind| kind.split(';').next().unwrap()));
    let uploads = media.upload_routes("/up", policy.scope("me"));
    let deliveries = DeliveryRoutes::new(media.clone()).transform("small", Transform::new());
    let app = signed_in(uploads.merge(deliveries.unwrap().into_router()));
    for (n, kind) in ACTIVE.into_iter().enumerate() {
        // Different bytes for each type, because equal bytes of one owner are one record.
        let bytes = [SCRIPT, n.to_string().as_bytes()].concat();
        let form = Form::new().with(file("a.js", &bytes).of_type(kind));
        let stored = send(&app, form.by("ana")).await;
        // An image type is accepted only with the magic bytes of an image.
        if kind.starts_with("image/") {
            assert_eq!(stored.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
            continue;
        }
        assert_eq!(stored.status, StatusCode::CREATED, "{kind}: {stored:?}");
        let id = MediaId::from_trusted(stored.json()["id"].as_str().unwrap()).unwrap();
        let (path, link) = (format!("/media/{id}/file"), world.link(&id, Rendition::Original));
        for uri in [&path, &link] {
            let whole = get(&app, ana(uri)).await;
            assert_eq!(whole.body, bytes);
            assert_inert(&whole, kind);
            let tag = whole.header("etag").to_owned();
            for (request, status) in [
                (ana(uri).method(Method::HEAD), 200),
                (ana(uri).header("range", "bytes=0-3"), 206),
                (ana(uri).header("if-none-match", tag), 304),
            ] {
                let answer = get(&app, request).await;
                assert_eq!(answer.status, status, "{kind}");
                assert_inert(&answer, kind);
            }
        }
        // The original never replaces a rendition that cannot be made (promise P5).
        for request in [
            ana(format!("{path}/thumb")),
            ana(format!("{path}/small")),
            anonymous(world.link(&id, Variant::Large)),
            anonymous(world.link(&id, Transform::new().with_width(9))),
        ] {
            let answer = get(&app, request).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
            assert_safe(&answer, kind);
        }
    }
}

#[tokio::test]
async fn p08_a_declared_type_is_inert_in_the_service_routes() {
    let world = World::new();
    let app: Router = world.media.service_routes(ServiceKeys::insecure_without_key());
    for (n, (name, kind)) in ACTIVE
        .map(|kind| ("a", kind))
        .into_iter()
        .chain([
            ("a.html", "text/plain"),
            ("a.svg", "text/plain"),
            ("a.js", "text/plain"),
            ("a.css", "text/plain"),
            ("a.xhtml", "text/plain"),
            ("a.wasm", "text/plain"),
            ("a.png", "text/html"),
        ])
        .enumerate()
    {
        let bytes = [SCRIPT, n.to_string().as_bytes()].concat();
        let form = Form::new()
            .with(file(name, &bytes).of_type(kind))
            .with(text("app", "me"))
            .with(text("userId", "ana"));
        let upload = Request::post("/api/v1/media/upload").header("content-type", Form::TYPE);
        let stored = send(&app, upload.body(Body::from(form.bytes())).unwrap()).await;
        assert_eq!(stored.status, StatusCode::CREATED, "{name} {kind}");
        let id = stored.json()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/media/{id}/file");
        let answer = get(&app, anonymous(&path)).await;
        assert_eq!(answer.body, bytes);
        assert_inert(&answer, &format!("{name} {kind}"));
        for (uri, status) in
            [(format!("{path}/thumb"), 404), (path.replace("file", "transform"), 400)]
        {
            let answer = get(&app, anonymous(&uri)).await;
            assert_eq!(answer.status, status, "{name} {kind}");
            assert_safe(&answer, kind);
        }
    }
}

#[tokio::test]
async fn p08_audio_video_and_pdf_are_displayed_by_option() {
    let world = World::new();
    let routes = DeliveryRoutes::new(world.media.clone());
    let app = signed_in(routes.inline_types(["video/*", "application/pdf"]).into_router());
    let mp4 = b"\0\0\0\x18ftypisom\0\0\0\0isommp42".as_slice();
    for (name, bytes, disposition, policy) in [
        ("a.mp4", mp4, "inline", "default-src 'none'; media-src 'self'; sandbox"),
        (
            "a.pdf",
            b"%PDF-1.7\n".as_slice(),
            "inline",
            "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'",
        ),
        ("a.mp3", b"ID3\x04\0\0\0\0\0\0", "attachment", "default-src 'none'; sandbox"),
        ("a.html", b"<!doctype html><script>", "attachment", "default-src 'none'; sandbox"),
        (
            "a.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "attachment",
            "default-src 'none'; sandbox",
        ),
    ] {
        let id = world.store(&world.ana, bytes.to_vec(), name).await;
        let answer = get(&app, ana(format!("/media/{id}/file"))).await;
        let header = answer.header("content-disposition");
        assert_eq!(header, format!("{disposition}; filename=\"{name}\""));
        assert_eq!(answer.header("content-security-policy"), policy, "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let id = world.store(&world.ana, mp4.to_vec(), "a.mp4").await;
    let part = ana(format!("/media/{id}/file")).header("range", "bytes=0-1");
    let part = get(&app, part).await;
    assert_eq!(
        (part.status, part.header("content-range")),
        (StatusCode::PARTIAL_CONTENT, "bytes 0-1/24")
    );
    let options = LinkOptions::new(Rendition::Original).as_attachment();
    let link = world.media.signed_url(&id, options, Duration::from_secs(60)).unwrap();
    let saved = get(&app, anonymous(link)).await;
    assert!(saved.header("content-disposition").starts_with("attachment"));
}

#[test]
fn p08_a_type_in_which_scripts_run_cannot_be_displayed() {
    for inline in
        ["text/html", "image/svg+xml", "text/*", "*/*", "video/x+xml", "application/xml", ""]
    {
        let routes = DeliveryRoutes::new(MediaState::in_memory());
        let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            routes.inline_types([inline])
        }));
        assert!(built.is_err(), "{inline}");
    }
}
