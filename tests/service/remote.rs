//! `Remote` as a client of the service routes over a `Store`, on a socket.

use tower_media::{Remote, Store, testkit::conformance};

use crate::support::{Home, KEY, Server};

#[tokio::test]
async fn remote_conforms_over_the_service_routes() {
    let home = Home::with(Store::builder()).await;
    let server = Server::start(home.routes().into_router()).await;
    let public = format!("{}/api/v1", server.url);
    let remote = Remote::builder(&server.url).service_key(KEY).public_url(public).build().unwrap();
    conformance::run(&remote).await;
}
