//! G12, as far as the guard goes: a route may demand an answer that is not remembered.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, http::StatusCode, routing::post};
use serde_json::json;
use tower_media::{
    MediaId, MediaState, Ownership, OwnershipQuestion, Result, UnverifiedId, VerifyMediaLayer,
};

use super::support::{login, owner, post_json, send};

/// Grants everything, and counts the questions that demand a fresh answer.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl Ownership for Counting {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.fetch_add(question.bypasses_cache().into(), Ordering::SeqCst);
        Ok(question.ids().to_vec())
    }
}

#[tokio::test]
async fn g12_a_route_that_demands_a_fresh_answer_says_so_in_the_question() {
    let fresh = Arc::new(AtomicUsize::new(0));
    let ownership = Counting(Arc::clone(&fresh));
    let media = MediaState::only(ownership);
    let guard = || VerifyMediaLayer::<Json<Vec<UnverifiedId>>>::new(media.clone());
    let app = Router::new()
        .route("/any", post(async || ()).layer(guard()))
        .route("/fresh", post(async || ()).layer(guard().bypass_cache()))
        .layer(axum::middleware::from_fn(login));

    for (uri, demanded) in [("/any", 0), ("/fresh", 1), ("/any", 1)] {
        let request = post_json(&owner("ana"), uri, &json!(["m-1"]));
        assert_eq!(send(&app, request).await.status, StatusCode::OK);
        assert_eq!(fresh.load(Ordering::SeqCst), demanded);
    }
}
