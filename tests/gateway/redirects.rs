//! Redirects to presigned URLs, followed to the gateway.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use tower::ServiceExt as _;
use tower_media::{
    Media, MediaState, Owner, Rendition, Upload,
    media::Variant,
    routes::{DeliveryRoutes, LinkOptions, ServiceKeys, ServiceRoutes, UrlSigner},
};

use crate::support::{Bucket, noise, owner, picture};

const EXPIRY: Duration = Duration::from_secs(60);

/// Delivery routes with redirects, over a bucket of their own.
struct World {
    media: MediaState,
    ana: Owner,
    app: Router,
    bucket: Bucket,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl World {
    async fn new(expiry: Duration) -> Self {
        let bucket = Bucket::new();
        let signer =
            UrlSigner::new("k1", b"a secret that is only for tests, 48 bytes long..").unwrap();
        let media = MediaState::builder(bucket.open().await).url_signer(signer).build();
        let routes = DeliveryRoutes::new(media.clone()).presigned_redirects(expiry);
        Self { media, ana: owner("ana"), app: routes.into_router(), bucket }
    }

    async fn keep(&self, upload: Upload) -> Media {
        self.media.upload(&self.ana, upload.scope("me")).await.unwrap()
    }

    async fn send(&self, method: Method, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(uri).extension(self.ana.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response =
            self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 30).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The URL to which a request is redirected.
    async fn redirect(&self, uri: &str) -> String {
        let answer = self.send(Method::GET, uri, &[]).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{uri}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "private, no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(answer.body.is_empty());
        answer.headers[header::LOCATION].to_str().unwrap().to_owned()
    }
}

async fn fetch(url: &str) -> Answer {
    let response = reqwest::get(url).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn a_redirect_delivers_originals_and_stored_renditions() {
    let world = World::new(EXPIRY).await;
    let photo =
        world.keep(Upload::new(picture("plain-1000x700.jpg")).file_name("été \"1\".jpg")).await;
    let file = format!("/media/{}/file", photo.id);
    let original = fetch(&world.redirect(&file).await).await;
    assert_eq!(original.status, StatusCode::OK);
    assert_eq!(original.body, picture("plain-1000x700.jpg"));
    assert_eq!(original.headers[header::CONTENT_TYPE], "image/jpeg");
    let disposition = original.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("inline; filename="), "{disposition}");
    assert!(disposition.ends_with("filename*=UTF-8''%C3%A9t%C3%A9%20%221%22.jpg"), "{disposition}");

    // The first request renders, and is answered with the bytes.
    let medium = format!("{file}/{}", Variant::Medium);
    let rendered = world.send(Method::GET, &medium, &[]).await;
    assert_eq!(rendered.status, StatusCode::OK);
    let stored = fetch(&world.redirect(&medium).await).await;
    assert_eq!((stored.status, stored.body), (StatusCode::OK, rendered.body));
    assert_eq!(stored.headers[header::CONTENT_TYPE], "image/webp");
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn p08_a_redirect_to_active_content_is_an_attachment() {
    let world = World::new(EXPIRY).await;
    for (content_type, bytes) in [
        ("text/html", "<!doctype html><script>1</script>"),
        ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("application/xhtml+xml", "<html xmlns='http://www.w3.org/1999/xhtml'/>"),
        ("text/javascript", "alert(1)"),
        ("text/css", "a{}"),
        ("text/plain", "plain"),
    ] {
        let page = world.keep(Upload::new(bytes).content_type(content_type)).await;
        let answer = fetch(&world.redirect(&format!("/media/{}/file", page.id)).await).await;
        assert_eq!(answer.status, StatusCode::OK);
        let delivered = answer.headers[header::CONTENT_TYPE].to_str().unwrap();
        assert!(
            ["application/octet-stream", "text/plain"].contains(&delivered),
            "{content_type}: {delivered}"
        );
        assert_eq!(answer.headers[header::CONTENT_DISPOSITION], "attachment", "{content_type}");
    }
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn p14_a_changed_presigned_url_is_refused() {
    let world = World::new(EXPIRY).await;
    let page = world.keep(Upload::new("<script>").content_type("text/html")).await;
    let other = world.keep(Upload::new("of another page")).await;
    let url = world.redirect(&format!("/media/{}/file", page.id)).await;
    assert_eq!(fetch(&url).await.status, StatusCode::OK);
    let other_url = world.redirect(&format!("/media/{}/file", other.id)).await;
    let path = |url: &str| url.split('?').next().unwrap().to_owned();
    let changes = [
        ("response-content-type=application%2Foctet-stream", "response-content-type=text%2Fhtml"),
        ("response-content-disposition=attachment", "response-content-disposition=inline"),
        ("response-content-disposition=attachment", "x=y"),
        ("X-Amz-Expires=60", "X-Amz-Expires=600"),
        (&path(&url), &path(&other_url)),
    ];
    for (from, to) in changes {
        let changed = url.replace(from, to);
        assert_ne!(changed, url, "{from} is not in {url}");
        assert_eq!(fetch(&changed).await.status, StatusCode::FORBIDDEN, "{to}");
    }
    let more = fetch(&format!("{url}&response-cache-control=public")).await;
    assert_eq!(more.status, StatusCode::FORBIDDEN);
    let client = reqwest::Client::new();
    for method in [Method::PUT, Method::DELETE, Method::HEAD] {
        let answer = client.request(method.clone(), &url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method}");
    }
    assert_eq!(fetch(&url).await.body, b"<script>");
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn p14_a_presigned_url_expires() {
    let world = World::new(Duration::from_secs(5)).await;
    let page = world.keep(Upload::new("bytes")).await;
    let url = world.redirect(&format!("/media/{}/file", page.id)).await;
    assert!(url.contains("X-Amz-Expires=5&"), "{url}");
    assert_eq!(fetch(&url).await.status, StatusCode::OK);
    // The gateway has a clock of its own, so time has to pass.
    let begun = std::time::Instant::now();
    while fetch(&url).await.status == StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(20), "the URL does not expire");
        tokio::time::interval(Duration::from_millis(200)).tick().await;
    }
    assert_eq!(fetch(&url).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn p14_a_redirect_of_a_signed_url_expires_before_it() {
    let world = World::new(Duration::from_secs(60 * 60)).await;
    let photo = world.keep(Upload::new(picture("plain-1000x700.jpg"))).await;
    let options = LinkOptions::new(Rendition::Original);
    let link = world
        .media
        .signed_url(&photo.id, options.as_attachment(), Duration::from_secs(60))
        .unwrap();
    let url = world.redirect(&link).await;
    let expires = url.split("X-Amz-Expires=").nth(1).unwrap().split('&').next().unwrap();
    assert!(expires.parse::<u64>().unwrap() <= 60 + 15 * 60, "{expires}");
    let answer = fetch(&url).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_DISPOSITION], "attachment");
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn p13_ranges_are_served_by_the_object_store() {
    let world = World::new(EXPIRY).await;
    let bytes = noise(300_000);
    let media = world.keep(Upload::new(bytes.clone())).await;
    let file = format!("/media/{}/file", media.id);
    let answer = world.send(Method::GET, &file, &[("range", "bytes=10-99999")]).await;
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    let url = answer.headers[header::LOCATION].to_str().unwrap();
    let client = reqwest::Client::new();
    let part = client.get(url).header("range", "bytes=10-99999").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 10-99999/300000");
    assert_eq!(part.bytes().await.unwrap(), &bytes[10..=99_999]);
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn head_and_conditions_are_answered_here() {
    let world = World::new(EXPIRY).await;
    let media = world.keep(Upload::new("a few bytes")).await;
    let file = format!("/media/{}/file", media.id);
    let head = world.send(Method::HEAD, &file, &[]).await;
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.headers[header::CONTENT_LENGTH], "11");
    let etag = head.headers[header::ETAG].to_str().unwrap();
    let modified = head.headers[header::LAST_MODIFIED].to_str().unwrap();
    for (name, value, status) in [
        ("if-none-match", etag, StatusCode::NOT_MODIFIED),
        ("if-none-match", "\"other\"", StatusCode::OK),
        ("if-modified-since", modified, StatusCode::NOT_MODIFIED),
        ("if-match", etag, StatusCode::OK),
        ("if-match", "\"other\"", StatusCode::PRECONDITION_FAILED),
    ] {
        let answer = world.send(Method::GET, &file, &[(name, value)]).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    let resumed = [("range", "bytes=2-4"), ("if-range", etag)];
    let part = world.send(Method::GET, &file, &resumed).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"few"[..]));
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn g05_only_the_owner_is_redirected() {
    let world = World::new(EXPIRY).await;
    let media = world.keep(Upload::new("bytes")).await;
    let file = format!("/media/{}/file", media.id);
    let as_bob = Request::get(&file).extension(owner("bob")).body(Body::empty()).unwrap();
    let refused = world.app.clone().oneshot(as_bob).await.unwrap();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert!(!refused.headers().contains_key(header::LOCATION));
    assert!(!world.bucket.list("blobs").await.is_empty());
}

#[tokio::test]
#[ignore = "needs an S3 gateway"]
async fn the_service_routes_redirect_on_request() {
    let world = World::new(EXPIRY).await;
    let media = world.keep(Upload::new("a few bytes")).await;
    let uri = format!("/api/v1/media/{}/file", media.id);
    for redirects in [false, true] {
        let keys = ServiceKeys::insecure_without_key();
        let routes = ServiceRoutes::new(world.media.clone(), keys);
        let routes = if redirects { routes.presigned_redirects(EXPIRY) } else { routes };
        let request = Request::get(&uri).body(Body::empty()).unwrap();
        let answer = routes.into_router::<()>().oneshot(request).await.unwrap();
        if redirects {
            assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
            let url = answer.headers()[header::LOCATION].to_str().unwrap();
            assert_eq!(fetch(url).await.body, b"a few bytes");
        } else {
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
}
