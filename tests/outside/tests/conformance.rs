//! A backend of the application's own keeps the contract of backends.

#[tokio::test]
async fn the_shelf_keeps_the_contract_of_backends() {
    tower_media::testkit::conformance::run(&outside::shelf::Shelf::default()).await;
}
