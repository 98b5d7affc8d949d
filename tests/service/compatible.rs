//! The parts of `ServiceRoutes::compatible`, each by itself.

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use imagesize::ImageType;
use serde_json::{Value, json};
use tower_media::routes::ServiceRoutes;

use crate::support::{FILE, Home, form, get, image, send, upload, upload_for};

async fn home(configure: impl Fn(ServiceRoutes) -> ServiceRoutes) -> (Home, Router) {
    let home = Home::new().await;
    let app = configure(home.routes()).into_router();
    (home, app)
}

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

async fn fetch(app: &Router, path: &str) -> (StatusCode, HeaderMap, Bytes) {
    let response = send(app, Request::get(format!("/api/v1/media{path}")), Body::empty()).await;
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, 64 << 20).await.unwrap())
}

/// The MIME type and the size of an image, if the bytes are of that type.
async fn rendition(app: &Router, path: &str) -> (String, (usize, usize), Bytes) {
    let (status, headers, bytes) = fetch(app, path).await;
    assert_eq!(status, StatusCode::OK, "{path}");
    let mime_type = headers["content-type"].to_str().unwrap().to_owned();
    let format = match imagesize::image_type(&bytes).unwrap() {
        ImageType::Jpeg => "image/jpeg",
        ImageType::Png => "image/png",
        ImageType::Webp => "image/webp",
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(mime_type, format, "{path}");
    let size = imagesize::blob_size(&bytes).unwrap();
    (mime_type, (size.width, size.height), bytes)
}

/// True if the bytes contain metadata of the fixtures.
fn has_metadata(bytes: &[u8]) -> bool {
    [&b"Exif\0"[..], b"eXIf", b"EOS Test", b"tEXt"]
        .iter()
        .any(|needle| bytes.windows(needle.len()).any(|found| found == *needle))
}

#[tokio::test]
async fn every_part_is_off_by_default() {
    let (_home, app) = home(|routes| routes).await;
    let jpeg = upload_for(&app, "ana", &image("exif-gps.jpg")).await;
    assert_eq!(rendition(&app, &format!("/{}/file/large", id(&jpeg))).await.0, "image/webp");
    for name in ["small", "original"] {
        assert_eq!(get(&app, &format!("/{}/file/{name}", id(&jpeg))).await.0, 404, "{name}");
    }
    let heic = upload_for(&app, "ana", &image("quad.heic")).await;
    let (_, headers, bytes) = fetch(&app, &format!("/{}/file", id(&heic))).await;
    assert_eq!(headers["content-type"], "image/heif");
    assert_eq!(bytes, image("quad.heic"));
    let without_user = form(&[("name=\"app\"", &b"logos"[..]), (FILE, b"x")]);
    let (status, error) = upload(&app, without_user).await;
    assert_eq!((status, error), (400, json!({ "error": "userId is required" })));
    assert_eq!(get(&app, "?app=logos").await.0, 400);
}

#[tokio::test]
async fn media_without_a_user_belongs_to_its_app() {
    let (_home, app) = home(ServiceRoutes::app_owners).await;
    let without_user =
        |name: &'static str| form(&[(FILE, name.as_bytes()), ("name=\"app\"", name.as_bytes())]);
    let (status, logo) = upload(&app, without_user("logos")).await;
    assert_eq!(status, 201);
    let (_, wallpaper) = upload(&app, without_user("wallpapers")).await;
    let empty_user = [(FILE, &b"logos"[..]), ("name=\"app\"", b"logos"), ("name=\"userId\"", b"")];
    assert_eq!(id(&upload(&app, form(&empty_user)).await.1), id(&logo));

    // Users of that name, or in that app, are other owners.
    let user = |name: &'static str| {
        let app = ("name=\"app\"", &b"logos"[..]);
        form(&[(FILE, b"of a user"), app, ("name=\"userId\"", name.as_bytes())])
    };
    let (_, users) = upload(&app, user("logos")).await;
    let (_, anas) = upload(&app, user("ana")).await;
    for (query, expected) in [
        ("?app=logos", json!([logo])),
        ("?app=logos&userId=&limit=500", json!([logo])),
        ("?app=wallpapers", json!([wallpaper])),
        ("?app=absent", json!([])),
        ("?app=logos,wallpapers", json!([])),
        ("?app=logos&userId=logos", json!([users])),
        ("?app=logos&userId=ana", json!([anas])),
        ("?userId=ana", json!([anas])),
    ] {
        let (status, list) = get(&app, query).await;
        let ids = |list: &Value| {
            list.as_array().unwrap().iter().map(id).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((status, ids(&list)), (200, ids(&expected)), "{query}");
    }
    for query in ["", "?app=", "/list/all?apps=logos", "/stats?app=logos"] {
        assert_eq!(get(&app, query).await.0, 400, "{query}");
    }
    assert_eq!(get(&app, &format!("?app={}", "a".repeat(256))).await.0, 400);
    let (status, error) = upload(&app, form(&[(FILE, b"x")])).await;
    assert_eq!((status, error), (400, json!({ "error": "userId is required" })));
}

#[tokio::test]
async fn p05_a_variant_of_a_smaller_image_keeps_the_format() {
    let (_home, app) = home(ServiceRoutes::keep_small_formats).await;
    for (file, name, expected, size) in [
        ("exif-gps.jpg", "large", "image/jpeg", (320, 240)),
        ("exif-gps.jpg", "medium", "image/jpeg", (320, 240)),
        ("exif-gps.jpg", "thumb", "image/webp", (200, 200)),
        ("exif.png", "large", "image/png", (64, 48)),
        ("alpha.png", "medium", "image/png", (300, 200)),
        ("static.gif", "large", "image/png", (90, 60)),
        ("lossy.webp", "large", "image/webp", (400, 300)),
        ("orientation-6.jpg", "large", "image/jpeg", (200, 320)),
        ("plain-800x800.jpg", "medium", "image/jpeg", (800, 800)),
        ("plain-801x100.jpg", "medium", "image/webp", (800, 100)),
        ("plain-801x100.jpg", "large", "image/jpeg", (801, 100)),
        ("plain-2400x1600.jpg", "large", "image/webp", (1920, 1280)),
    ] {
        let original = image(file);
        let media = upload_for(&app, "ana", &original).await;
        let path = format!("/{}/file/{name}", id(&media));
        let (mime_type, shown, bytes) = rendition(&app, &path).await;
        assert_eq!((&*mime_type, shown), (expected, size), "{file} {name}");
        assert!(!has_metadata(&bytes), "p06: {file} {name}");
        assert_ne!(bytes, original, "{file} {name}");
    }
    assert!(has_metadata(&image("exif-gps.jpg")) && has_metadata(&image("exif.png")));
    for file in ["text.txt", "garbage.jpg", "drawing.svg"] {
        let media = upload_for(&app, "ana", &image(file)).await;
        for name in ["medium", "large"] {
            let path = format!("/{}/file/{name}", id(&media));
            let (status, answer) = get(&app, &path).await;
            assert_eq!((status, &answer["error"]), (404, &json!("File not found")), "{file}");
        }
    }
    assert_eq!(get(&app, "/5b0d7f1c-8a0e-4c06-9c1e-0d8c5f0a7a11/file/large").await.0, 404);
}

#[tokio::test]
async fn small_and_original_are_names_of_variants() {
    let (_home, app) = home(ServiceRoutes::variant_names).await;
    for (file, expected, size) in [
        ("exif-gps.jpg", "image/jpeg", (320, 240)),
        ("plain-1000x700.jpg", "image/jpeg", (400, 280)),
        ("exif.png", "image/png", (64, 48)),
        ("lossy.webp", "image/webp", (400, 300)),
    ] {
        let original = image(file);
        let media = upload_for(&app, "ana", &original).await;
        let (mime_type, shown, bytes) =
            rendition(&app, &format!("/{}/file/small", id(&media))).await;
        assert_eq!((&*mime_type, shown), (expected, size), "{file}");
        assert!(!has_metadata(&bytes) && bytes != original, "{file}");
        let (status, headers, bytes) = fetch(&app, &format!("/{}/file/original", id(&media))).await;
        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], expected, "{file}");
        assert_eq!(bytes, original, "{file}");
        for name in ["SMALL", "huge", "original.jpg", "originals", "toString", "__proto__"] {
            let path = format!("/{}/file/{name}", id(&media));
            assert_eq!(get(&app, &path).await.0, 404, "p05: {file} {name}");
        }
    }
    let text = upload_for(&app, "ana", b"text").await;
    assert_eq!(get(&app, &format!("/{}/file/small", id(&text))).await.0, 404);
    assert_eq!(fetch(&app, &format!("/{}/file/original", id(&text))).await.2, "text");
}

#[tokio::test]
async fn stats_have_the_names_of_both_services() {
    let (_home, app) = home(|routes| routes).await;
    upload_for(&app, "ana", b"four").await;
    upload_for(&app, "ana", b"seven77").await;
    let expected = json!({ "count": 2, "bytes": 11, "totalCount": 2, "totalSize": 11 });
    assert_eq!(get(&app, "/stats?userId=ana").await, (200, expected));
}

#[cfg(feature = "heic")]
mod heic {
    use super::*;

    #[tokio::test]
    async fn p06_a_heic_is_delivered_as_jpeg_of_full_size() {
        let (_home, app) = home(ServiceRoutes::heic_as_jpeg).await;
        let original = image("exif-gps.heic");
        let media = upload_for(&app, "ana", &original).await;
        assert_eq!(media["mimeType"], "image/heif");
        let size = |name| media["metadata"][name].as_u64().unwrap() as usize;
        let path = format!("/{}/file", id(&media));
        let (mime_type, shown, jpeg) = rendition(&app, &path).await;
        assert_eq!((&*mime_type, shown), ("image/jpeg", (size("width"), size("height"))));
        assert!(!has_metadata(&jpeg));

        let (status, headers, bytes) = fetch(&app, &format!("{path}?original=1")).await;
        assert_eq!(
            (status, &headers["content-type"]),
            (StatusCode::OK, &"image/heif".parse().unwrap())
        );
        assert_eq!(bytes, original);
        for other in ["?original=0", "?original=", "?original=true"] {
            assert_eq!(fetch(&app, &format!("{path}{other}")).await.2, jpeg, "{other}");
        }

        // The JPEG has an entity tag of its own, and ranges.
        let (_, as_jpeg, _) = fetch(&app, &path).await;
        assert_ne!(as_jpeg["etag"], headers["etag"]);
        let request = || Request::get(format!("/api/v1/media{path}"));
        let part = send(&app, request().header("range", "bytes=0-9"), Body::empty()).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(to_bytes(part.into_body(), 99).await.unwrap(), jpeg[..10]);
        let fresh = request().header("if-none-match", &as_jpeg["etag"]);
        assert_eq!(send(&app, fresh, Body::empty()).await.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn a_heic_that_cannot_be_decoded_is_422() {
        let (_home, app) = home(ServiceRoutes::heic_as_jpeg).await;
        // The header is whole, the pixels are not.
        let mut broken = image("quad.heic");
        let end = broken.len() - 100;
        broken[end..].fill(0);
        let media = upload_for(&app, "ana", &broken).await;
        assert_eq!(media["mimeType"], "image/heif");
        let path = format!("/{}/file", id(&media));
        assert_eq!(fetch(&app, &path).await.0, 422);
        assert_eq!(fetch(&app, &format!("{path}?original=1")).await.2, broken);
    }

    #[tokio::test]
    async fn heic_variants_are_jpeg_if_formats_are_kept() {
        let (_home, app) = home(ServiceRoutes::compatible).await;
        let media = upload_for(&app, "ana", &image("quad.heic")).await;
        for name in ["medium", "large", "small", "original"] {
            let path = format!("/{}/file/{name}", id(&media));
            assert_eq!(rendition(&app, &path).await.0, "image/jpeg", "{name}");
        }
    }

    #[tokio::test]
    async fn other_originals_are_delivered_unchanged() {
        let (_home, app) = home(ServiceRoutes::heic_as_jpeg).await;
        for file in ["exif-gps.jpg", "quad.avif", "text.txt"] {
            let media = upload_for(&app, "ana", &image(file)).await;
            assert_eq!(fetch(&app, &format!("/{}/file", id(&media))).await.2, image(file));
        }
    }
}
