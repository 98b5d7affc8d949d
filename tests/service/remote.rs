//! `Remote` against the service routes over the embedded store, on a socket.

use tower_media::{Remote, Store, testkit::conformance};

use crate::support::{Home, KEY, Server};

#[tokio::test]
async fn the_contract_of_a_backend_holds_through_the_wire() {
    let home = Home::with(Store::builder()).await;
    let server = Server::start(home.routes().into_router()).await;
    let public = format!("{}/api/v1", server.url);
    let remote = Remote::builder(&server.url).service_key(KEY).public_url(public).build().unwrap();
    conformance::run(&remote).await;
}
