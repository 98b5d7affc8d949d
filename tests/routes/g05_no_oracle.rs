//! G5: media that the caller does not own is answered like unknown media, for every rendition.

use axum::http::StatusCode;
use tower_media::{MediaId, Owner, Upload, routes::DeliveryRoutes};

use super::support::{World, ana, anonymous, get, owner, png, signed_in};

#[tokio::test]
async fn g05_absent_foreign_removed_and_wrong_scope_are_one_answer() {
    let world = World::new();
    let routes = DeliveryRoutes::new(world.media.clone()).scopes(["me"]);
    let app = signed_in(routes.into_router());
    let store = async |owner: &Owner, scope: &str, length| {
        let upload = Upload::new(png(length)).scope(scope);
        world.media.upload(owner, upload).await.unwrap().id
    };
    let removed = store(&world.ana, "me", 901).await;
    assert!(world.media.delete(&world.ana, &removed).await.unwrap());
    let elsewhere = owner("ana").with_tenant("acme").unwrap();
    let ids = [
        MediaId::from_trusted("00000000-0000-4000-8000-000000000000").unwrap(),
        store(&world.bob, "me", 902).await,
        removed,
        store(&world.ana, "wardrobe", 903).await,
        store(&elsewhere, "me", 904).await,
    ];
    for rendition in ["", "/thumb", "/large", "/huge"] {
        for header in [("accept", "*/*"), ("range", "bytes=0-9"), ("if-none-match", "*")] {
            let mut answers = Vec::new();
            for id in &ids {
                let request = ana(format!("/media/{id}/file{rendition}"));
                let answer = get(&app, request.header(header.0, header.1)).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND);
                answers.push(answer.without(id.as_str()));
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{answers:#?}");
        }
    }
}

#[tokio::test]
async fn g05_without_an_owner_no_id_is_looked_up() {
    let world = World::new();
    let id = world.picture().await;
    let app = world.app();
    let paths = ["none", id.as_str(), "a%20b"].map(|id| format!("/media/{id}/file"));
    let mut answers = Vec::new();
    for path in &paths {
        answers.push(format!("{:?}", get(&app, anonymous(path)).await));
        answers.push(format!("{:?}", get(&app, anonymous(format!("{path}/huge"))).await));
    }
    assert_eq!(world.backend.questions(), 0);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(answers[0].contains("401"));
}
