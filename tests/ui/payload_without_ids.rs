use axum::{Json, Router, routing::post};
use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer};

#[derive(serde::Deserialize)]
struct Post {
    cover: UnverifiedId,
}

fn main() {
    let guard = VerifyMediaLayer::<Json<Post>>::new(MediaState::in_memory());
    let _: Router = Router::new().route("/posts", post(async || ()).layer(guard));
}
