//! Run with `cargo run --example testing`: what an attacker would send, sent by an application's own tests.
//!
//! `main` attacks two routers, one of which has a hole, and prints what is said of each. The tests at the
//! end are what an application writes, and run with:
//!
//! ```sh
//! cargo test --example testing
//! ```
//!
//! An application has `tower-media` a second time among its `[dev-dependencies]`, with the feature
//! `testkit`.

use axum::{
    Json, Router,
    extract::{Path, Request},
    http::header::CONTENT_TYPE,
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use tower_media::{
    MediaId, MediaIds, MediaState, Owner, Rendition, Result, UnverifiedId, VerifiedMedia,
    VerifyMediaLayer,
    media::Download,
    testkit::{Replay, Report},
};

#[derive(serde::Deserialize, MediaIds)]
struct Album {
    title: String,
    pictures: Vec<UnverifiedId>,
}

async fn album(VerifiedMedia(Json(album), owned): VerifiedMedia<Json<Album>>) -> String {
    format!("{}, with {} pictures", album.title, owned.ids().len())
}

async fn picture(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Download> {
    media.download(&owned[&id], Rendition::Original).await
}

/// Has a hole: it takes the word of whoever asks, and the type that would not let it is not used.
async fn careless_picture(Path(id): Path<String>, media: MediaState) -> Result<Download> {
    media.download(&MediaId::from_trusted(id)?, Rendition::Original).await
}

/// Stands for a real login: it believes whatever the header `x-user` says.
async fn demo_login(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    if let Some(Ok(owner)) = user.map(Owner::new) {
        request.extensions_mut().insert(owner);
    }
    next.run(request).await
}

fn app(media: &MediaState) -> Router {
    let guard = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone()).scopes(["me"]);
    albums(media).route("/pictures/{id}", get(picture).layer(guard)).layer(media.layer())
}

fn app_with_a_hole(media: &MediaState) -> Router {
    albums(media).route("/pictures/{id}", get(careless_picture)).layer(media.layer())
}

fn albums(media: &MediaState) -> Router {
    let guard = VerifyMediaLayer::<Json<Album>>::new(media.clone()).scopes(["me"]).id_count(1..=8);
    Router::new().route("/albums", post(album).layer(guard))
}

/// Attacks each guarded route. The harness knows from the guards how many ids they allow and in which
/// scopes; how a request looks, and how somebody signs in, only the application knows.
async fn attack(app: Router, media: MediaState) -> Report {
    Replay::new(app.layer(from_fn(demo_login)), media)
        .sign_in(|request, owner| {
            let subject = owner.subject().parse().expect("a subject of the harness is a header");
            request.headers_mut().insert("x-user", subject);
        })
        .route("POST /albums", |ids| {
            let album = serde_json::json!({ "title": "Lakes", "pictures": ids });
            Request::post("/albums")
                .header(CONTENT_TYPE, "application/json")
                .body(album.to_string().into())
        })
        .route_with_one("GET /pictures/{id}", |id| {
            Request::get(format!("/pictures/{id}")).body("".into())
        })
        .run()
        .await
}

#[tokio::main]
async fn main() {
    // Any backend will do; an application gives the one it runs with.
    let media = MediaState::in_memory();
    print("the safe router", &attack(app(&media), media).await);
    let media = MediaState::in_memory();
    print("the router with a hole", &attack(app_with_a_hole(&media), media).await);
}

fn print(router: &str, report: &Report) {
    println!("{router}: {} requests, {} findings", report.requests(), report.findings().len());
    for finding in report.findings() {
        println!("- {finding}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that an application needs.
    #[tokio::test]
    async fn nobody_reaches_the_pictures_of_others() {
        let media = MediaState::in_memory();
        attack(app(&media), media).await.assert_clean();
    }

    /// An application has no need of this one: it shows that the first can fail.
    #[tokio::test]
    async fn a_route_without_a_guard_is_found() {
        let media = MediaState::in_memory();
        let report = attack(app_with_a_hole(&media), media).await;
        let found: Vec<_> = report.findings().iter().map(|finding| finding.route()).collect();
        assert_eq!(found, ["GET /pictures/{id}"]);
    }
}
