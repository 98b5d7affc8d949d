//! Run with `cargo run --example testing`: tests that attack the application's own routes.
//!
//! `main` attacks two routers, one of which has a vulnerability, and prints both reports. The tests at
//! the end are those that an application has:
//!
//! ```sh
//! cargo test --example testing
//! ```
//!
//! In an application the feature `testkit` is switched on in `[dev-dependencies]` only.

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

/// The vulnerability: it trusts an id from the client, because `Path<String>` bypasses `UnverifiedId`.
async fn careless_picture(Path(id): Path<String>, media: MediaState) -> Result<Download> {
    media.download(&MediaId::from_trusted(id)?, Rendition::Original).await
}

/// In place of authentication: it trusts the header `x-user` of the client.
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

fn app_without_guard(media: &MediaState) -> Router {
    albums(media).route("/pictures/{id}", get(careless_picture)).layer(media.layer())
}

fn albums(media: &MediaState) -> Router {
    let guard = VerifyMediaLayer::<Json<Album>>::new(media.clone()).scopes(["me"]).id_count(1..=8);
    Router::new().route("/albums", post(album).layer(guard))
}

/// Attacks each guarded route. The harness reads id counts and scopes from the guards; the application
/// supplies the requests and the authentication.
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
    // An application uses the backend that it runs with.
    let media = MediaState::in_memory();
    print("the safe router", &attack(app(&media), media).await);
    let media = MediaState::in_memory();
    print("the router without a guard", &attack(app_without_guard(&media), media).await);
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

    /// The one test that an application needs.
    #[tokio::test]
    async fn unowned_pictures_are_unreachable() {
        let media = MediaState::in_memory();
        attack(app(&media), media).await.assert_clean();
    }

    /// Not needed in an application: it shows that the first test can fail.
    #[tokio::test]
    async fn a_route_without_a_guard_is_found() {
        let media = MediaState::in_memory();
        let report = attack(app_without_guard(&media), media).await;
        let found: Vec<_> = report.findings().iter().map(|finding| finding.route()).collect();
        assert_eq!(found, ["GET /pictures/{id}"]);
    }
}
