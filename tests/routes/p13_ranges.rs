//! P13: one range is served; several or malformed ranges return the whole file; conditions precede ranges.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use tower_media::{MediaId, MediaState, Store, Upload, media::Variant};

use super::support::{World, ana, get, http_date, owner, png, send, signed_in};

const LENGTH: usize = 1000;

async fn world() -> (World, MediaId, String) {
    let world = World::new();
    let id = world.picture().await;
    let path = format!("/media/{id}/file");
    (world, id, path)
}

#[tokio::test]
async fn p13_one_range_is_206_and_anything_else_the_whole() {
    let (world, _, path) = world().await;
    let (app, whole) = (world.app(), png(LENGTH));
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=990-", 990, 999),
        ("bytes=-10", 990, 999),
        ("bytes=-99999", 0, 999),
        ("bytes=500-99999999999999999999999", 500, 999),
    ] {
        let answer = get(&app, ana(&path).header(header::RANGE, range)).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/1000"), "{range}");
        assert_eq!(answer.header("content-length"), (last - first + 1).to_string(), "{range}");
        assert_eq!(answer.body, whole[first..=last], "{range}");
    }
    let many = format!("bytes={}0-", "0-,".repeat(10_000));
    for range in
        ["bytes=0-1,5-6", "bytes=0-,0-,0-", "bytes=9-5", "bytes=", "bytes=x-", "lines=0-1", &many]
    {
        let answer = get(&app, ana(&path).header(header::RANGE, range)).await;
        assert_eq!(answer.status, StatusCode::OK, "{range:.40}");
        assert_eq!(answer.body, whole, "{range:.40}");
        assert_eq!(answer.header("content-range"), "", "{range:.40}");
    }
}

#[tokio::test]
async fn p13_an_unsatisfiable_range_is_416_with_the_length() {
    let (world, _, path) = world().await;
    let app = world.app();
    for range in ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=99999999999999999999-"] {
        let answer = get(&app, ana(&path).header(header::RANGE, range)).await;
        assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        assert_eq!(answer.header("content-range"), "bytes */1000", "{range}");
        assert_eq!(answer.header("accept-ranges"), "bytes", "{range}");
    }
}

#[tokio::test]
async fn p13_head_has_the_headers_of_get_and_ignores_ranges() {
    let (world, _, path) = world().await;
    let app = world.app();
    let whole = get(&app, ana(&path)).await;
    let head = ana(&path).method(Method::HEAD).header(header::RANGE, "bytes=0-0");
    let head = get(&app, head).await;
    assert_eq!((head.status, &head.headers), (StatusCode::OK, &whole.headers));
    assert_eq!(head.header("content-length"), "1000");
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn p13_conditions_are_evaluated_in_the_order_of_rfc_9110() {
    let (world, id, path) = world().await;
    let app = world.app();
    let media = world.media.get(&id).await.unwrap();
    let etag = format!("\"{}\"", media.hash);
    let whole = get(&app, ana(&path)).await;
    assert_eq!(whole.header("etag"), etag);
    let (ok, not_modified, failed) =
        (StatusCode::OK, StatusCode::NOT_MODIFIED, StatusCode::PRECONDITION_FAILED);
    let at = |later| http_date(media.created_at, later);
    for (conditions, status) in [
        (vec![("if-none-match", etag.clone())], not_modified),
        (vec![("if-none-match", format!("W/{etag}"))], not_modified),
        (vec![("if-none-match", format!("\"x\", {etag}"))], not_modified),
        (vec![("if-none-match", "*".into())], not_modified),
        (vec![("if-none-match", "\"x\"".into())], ok),
        (vec![("if-match", etag.clone())], ok),
        (vec![("if-match", "*".into())], ok),
        (vec![("if-match", "\"x\"".into())], failed),
        (vec![("if-match", format!("W/{etag}"))], failed),
        (vec![("if-modified-since", at(0))], not_modified),
        (vec![("if-modified-since", at(-1))], ok),
        (vec![("if-modified-since", "yesterday".into())], ok),
        (vec![("if-unmodified-since", at(0))], ok),
        (vec![("if-unmodified-since", at(-1))], failed),
        // The tags precede the dates.
        (vec![("if-none-match", "\"x\"".into()), ("if-modified-since", at(9))], ok),
        (vec![("if-match", etag.clone()), ("if-unmodified-since", at(-9))], ok),
        (vec![("if-match", "\"x\"".into()), ("if-none-match", etag.clone())], failed),
        // The conditions precede the range.
        (vec![("if-none-match", etag.clone()), ("range", "bytes=0-0".into())], not_modified),
        (vec![("if-none-match", etag.clone()), ("range", "bytes=5000-".into())], not_modified),
        (vec![("if-match", "\"x\"".into()), ("range", "bytes=5000-".into())], failed),
    ] {
        let mut request = ana(&path);
        for (name, value) in &conditions {
            request = request.header(*name, value);
        }
        let answer = get(&app, request).await;
        assert_eq!(answer.status, status, "{conditions:?}");
        if status == not_modified {
            assert!(answer.body.is_empty(), "{conditions:?}");
            assert_eq!(answer.header("etag"), etag, "{conditions:?}");
            assert_eq!(answer.header("cache-control"), "private, no-cache", "{conditions:?}");
            assert_eq!(answer.header("last-modified"), whole.header("last-modified"));
        }
    }
}

#[tokio::test]
async fn p13_if_range_serves_a_part_only_of_the_same_version() {
    let (world, id, path) = world().await;
    let app = world.app();
    let media = world.media.get(&id).await.unwrap();
    let etag = format!("\"{}\"", media.hash);
    for (if_range, status) in [
        (etag.clone(), StatusCode::PARTIAL_CONTENT),
        ("\"x\"".into(), StatusCode::OK),
        (format!("W/{etag}"), StatusCode::OK),
        ("an-old-validator".into(), StatusCode::OK),
        (format!("{etag}, \"y\""), StatusCode::OK),
        (String::new(), StatusCode::OK),
        (http_date(media.created_at, 0), StatusCode::PARTIAL_CONTENT),
        (http_date(media.created_at, -1), StatusCode::OK),
    ] {
        let request = ana(&path).header("range", "bytes=1-2").header("if-range", &if_range);
        let answer = get(&app, request).await;
        assert_eq!(answer.status, status, "{if_range}");
        let length = if status == StatusCode::OK { LENGTH } else { 2 };
        assert_eq!(answer.body.len(), length, "{if_range}");
    }
    let request = ana(&path).header("if-range", &etag);
    assert_eq!(get(&app, request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn p13_renditions_have_their_own_ranges_and_etags() {
    let folder = tempfile::tempdir().unwrap();
    let media = MediaState::new(Store::open(folder.path()).await.unwrap());
    let upload = Upload::new(png(LENGTH)).scope("me");
    let id = media.upload(&owner("ana"), upload).await.unwrap().id;
    let app = signed_in(media.delivery_routes());
    let path = format!("/media/{id}/file/medium");
    let whole = get(&app, ana(&path)).await;
    let part = get(&app, ana(&path).header("range", "bytes=1-3")).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &whole.body[1..=3]));
    let tag = whole.header("etag");
    assert!(tag.starts_with('"'), "{tag}");
    let same = get(&app, ana(&path).header("if-none-match", tag)).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    let original = get(&app, ana(format!("/media/{id}/file"))).await;
    assert_ne!(original.header("etag"), tag);
}

#[tokio::test]
async fn other_methods_are_405_also_with_a_signature() {
    let (world, id, path) = world().await;
    let link = world.link(&id, Variant::Medium);
    for uri in [&path, &link] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = Request::builder().method(method).uri(uri).header("x-user", "ana");
            let answer = send(&world.app(), request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }
}
