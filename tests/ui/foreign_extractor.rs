use axum::{Json, Router, extract::Path, routing::put};
use tower_media::{MediaState, UnverifiedId, VerifyMediaLayer};

mod shop {
    #[derive(serde::Deserialize)]
    pub struct OrderNumber(pub u64);
}

fn main() {
    type Request = (Path<shop::OrderNumber>, Json<Vec<UnverifiedId>>);
    let guard = VerifyMediaLayer::<Request>::new(MediaState::in_memory());
    let _: Router = Router::new().route("/orders/{order}", put(async || ()).layer(guard));
}
