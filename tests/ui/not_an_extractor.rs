use axum::{Router, routing::post};
use tower_media::{MediaIds, MediaState, UnverifiedId, VerifyMediaLayer};

#[derive(serde::Deserialize, MediaIds)]
struct Post {
    cover: UnverifiedId,
}

fn main() {
    let guard = VerifyMediaLayer::<Post>::new(MediaState::in_memory());
    let _: Router = Router::new().route("/posts", post(async || ()).layer(guard));
}
