//! Networks that need no key, and pages of other origins in them.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use tower::ServiceExt as _;
use tower_media::{
    ErrorKind, InMemory, MediaState,
    routes::{ServiceKeys, ServiceRoutes},
};

use crate::support::{FILE, KEY, Server, form, keys};

const LIST: &str = "/api/v1/media?userId=ana";

fn routes(keys: ServiceKeys) -> ServiceRoutes {
    ServiceRoutes::new(MediaState::new(InMemory::new()), keys).metrics(|| "up 1\n".to_owned())
}

/// The status of a request from this address.
async fn status(app: &Router, peer: Option<&str>, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    if let Some(peer) = peer {
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    app.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_caller_from_a_trusted_network_needs_no_key() {
    let keys = keys().or_networks(["10.1.0.0/16", "192.0.2.7", "fd00:1::/32"]).unwrap();
    let app = routes(keys).into_router();
    for (peer, expected) in [
        ("10.1.0.0:80", 200),
        ("10.1.255.255:65535", 200),
        ("10.0.255.255:80", 401),
        ("10.2.0.0:80", 401),
        ("192.0.2.7:80", 200),
        ("192.0.2.8:80", 401),
        ("127.0.0.1:80", 401),
        ("[fd00:1::1]:80", 200),
        ("[fd00:2::1]:80", 401),
        ("[::1]:80", 401),
        // The peer of a socket that listens on both IPv6 and IPv4.
        ("[::ffff:10.1.2.3]:80", 200),
        ("[::ffff:10.2.2.3]:80", 401),
    ] {
        for path in [LIST, "/metrics"] {
            assert_eq!(status(&app, Some(peer), path, &[]).await, expected, "{peer} {path}");
        }
        let key = [("x-service-key", KEY)];
        assert_eq!(status(&app, Some(peer), LIST, &key).await, 200, "{peer}");
        assert_eq!(status(&app, Some(peer), "/health", &[]).await, 200, "{peer}");
    }
}

#[tokio::test]
async fn g09_no_header_makes_a_caller_trusted() {
    let app = routes(ServiceKeys::networks(["10.1.0.0/16"]).unwrap()).into_router();
    for header in [
        ("forwarded", "for=10.1.0.1"),
        ("x-forwarded-for", "10.1.0.1"),
        ("x-real-ip", "10.1.0.1"),
        ("x-client-ip", "10.1.0.1"),
        ("cf-connecting-ip", "10.1.0.1"),
        ("host", "10.1.0.1"),
        ("x-service-key", ""),
    ] {
        assert_eq!(status(&app, Some("10.2.0.1:80"), LIST, &[header]).await, 401, "{header:?}");
    }
}

#[tokio::test]
async fn g02_trusted_networks_without_peer_addresses_are_500() {
    let app = routes(keys().or_networks(["10.1.0.0/16"]).unwrap()).into_router();
    assert_eq!(status(&app, None, LIST, &[]).await, 500);
    assert_eq!(status(&app, None, LIST, &[("x-service-key", KEY)]).await, 200);
    let app = routes(keys()).into_router();
    assert_eq!(status(&app, None, LIST, &[]).await, 401, "without networks, it is not asked for");
}

#[tokio::test]
async fn the_peer_of_a_socket_is_compared_with_the_networks() {
    for (network, expected) in [("127.0.0.0/8", 200), ("10.0.0.0/8", 401)] {
        let app = routes(ServiceKeys::networks([network]).unwrap()).into_router();
        let server = Server::start(app).await;
        let request = reqwest::Client::new()
            .get(format!("{}{LIST}", server.url))
            .header("x-forwarded-for", "10.0.0.1");
        assert_eq!(request.send().await.unwrap().status(), expected, "{network}");
    }
}

#[test]
fn an_invalid_list_of_networks_is_refused() {
    for list in [
        vec![],
        vec![""],
        vec!["10.0.0.0/33"],
        vec!["10.0.0.0/8", "example.org"],
        vec!["10.0.0.0/255.0.0.0"],
        vec!["0.0.0.0/0"],
        vec!["::/0"],
    ] {
        let error = ServiceKeys::networks(&list).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{list:?}");
        assert!(ServiceKeys::insecure_without_key().or_networks(&list).is_err(), "{list:?}");
    }
    assert!(ServiceKeys::insecure_without_key().or_networks(["10.0.0.0/8"]).is_err());
    let error = ServiceKeys::networks(["example.org"]).unwrap_err();
    assert!(error.to_string().contains("\"example.org\""), "{error}");
}

#[tokio::test]
async fn p16_pages_of_other_origins_cannot_write_without_a_key() {
    let allowed = "https://app.example.org";
    let networks = || ServiceKeys::networks(["10.1.0.0/16"]).unwrap();
    for (is_insecure, keys) in [(false, networks()), (true, ServiceKeys::insecure_without_key())] {
        let app = routes(keys).allowed_origins([allowed]).unwrap().into_router();
        for (headers, expected) in [
            (vec![], 201),
            (vec![("origin", "https://media.example.org")], 201),
            (vec![("origin", allowed), ("sec-fetch-site", "same-site")], 201),
            (vec![("origin", "https://evil.example")], 403),
            (vec![("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], 403),
            (vec![("origin", "null"), ("sec-fetch-site", "cross-site")], 403),
            (vec![("origin", "https://evil.example"), ("x-service-key", KEY)], 403),
        ] {
            let parts = [("name=\"app\"", &b"me"[..]), ("name=\"userId\"", b"ana"), (FILE, b"x")];
            let mut request = Request::post("/api/v1/media/upload")
                .header(header::HOST, "media.example.org")
                .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let mut request = request.body(Body::from(form(&parts))).unwrap();
            let peer: SocketAddr = "10.1.0.1:80".parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), expected, "insecure: {is_insecure}, {headers:?}");
        }
    }
}

#[tokio::test]
async fn p08_other_origins_may_embed_files_only_if_one_is_allowed() {
    let policy = async |app: Router, path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        response.headers()["cross-origin-resource-policy"].to_str().unwrap().to_owned()
    };
    let insecure = || routes(ServiceKeys::insecure_without_key());
    for path in ["/api/v1/media/absent/file", "/api/v1/media/absent", "/health", LIST] {
        assert_eq!(policy(insecure().into_router(), path).await, "same-origin", "{path}");
        let none = insecure().allowed_origins([""; 0]).unwrap();
        assert_eq!(policy(none.into_router(), path).await, "same-origin", "{path}");
        let one = insecure().allowed_origins(["https://app.example.org"]).unwrap();
        assert_eq!(policy(one.into_router(), path).await, "cross-origin", "{path}");
    }
    assert!(insecure().allowed_origins(["app.example.org"]).is_err());
    assert!(insecure().allowed_origins(["*"]).is_err());
}
