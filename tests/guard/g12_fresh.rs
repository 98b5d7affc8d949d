//! G12 for the guard: a route can require an answer that does not come from a cache.

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

/// Grants everything, and counts the queries that bypass the cache.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl Ownership for Counting {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.0.fetch_add(question.bypasses_cache().into(), Ordering::SeqCst);
        Ok(question.select(|_| true))
    }
}

#[tokio::test]
async fn g12_bypass_cache_of_a_route_is_set_in_the_query() {
    let fresh = Arc::new(AtomicUsize::new(0));
    let ownership = Counting(Arc::clone(&fresh));
    let media = MediaState::with_ownership_only(ownership);
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
