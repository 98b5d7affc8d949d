//! Run with `cargo run --example quickstart` and follow the `curl` lines of the README.
//!
//! One route stores a picture for whoever is signed in; the others use pictures, and only ever those of
//! the caller. They are kept in the folder `media`, also when this ends. Another address than
//! `127.0.0.1:3000`, and another folder, can be given as arguments.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Request},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use tower_media::{
    Media, MediaIds, MediaState, Owner, Result, UnverifiedId, Upload, VerifiedMedia,
    VerifyMediaLayer,
    media::{Download, Variant},
};

/// What a client sends. A new field that holds ids is verified as well, or does not compile.
#[derive(serde::Deserialize, MediaIds)]
struct Collage {
    title: String,
    references: Vec<UnverifiedId>,
}

/// Runs only if the caller owns every reference.
async fn collage(
    VerifiedMedia(Json(request), owned): VerifiedMedia<Json<Collage>>,
    media: MediaState,
) -> Result<String> {
    let mut answer = format!("{}, by {}\n", request.title, owned.owner().subject());
    for id in owned.ids() {
        let picture = media.get(id).await?;
        answer += &format!("- {} of {} bytes\n", picture.mime_type, picture.size);
    }
    Ok(answer)
}

/// Delivers a small version of one picture, which is made the first time.
async fn thumbnail(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Download> {
    media.download(&owned[&id], Variant::Thumbnail).await
}

/// Stores the body of the request.
async fn upload(owner: Owner, media: MediaState, body: Bytes) -> Result<(StatusCode, Json<Media>)> {
    let stored = media.upload(&owner, Upload::new(body).scope("me")).await?;
    Ok((StatusCode::CREATED, Json(stored)))
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
    let guard =
        VerifyMediaLayer::<Json<Collage>>::new(media.clone()).scopes(["me"]).id_count(1..=8);
    let by_path = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
    Router::new()
        .route("/collage", post(collage).layer(guard))
        .route("/pictures/{id}/thumbnail", get(thumbnail).layer(by_path))
        .route("/pictures", post(upload).layer(DefaultBodyLimit::max(10 << 20)))
        .layer(media.layer())
        .layer(from_fn(demo_login))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:3000".to_owned());
    let folder = arguments.next().unwrap_or("media".to_owned());
    let media = MediaState::open(&folder).await?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; pictures are kept in {folder}", listener.local_addr()?);
    Ok(axum::serve(listener, app(&media)).await?)
}
