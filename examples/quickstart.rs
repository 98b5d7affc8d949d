//! Run with `cargo run --example quickstart`: the guard over a store in a folder.
//!
//! In another terminal, with any picture as `cat.jpg` (`--json` needs curl 7.82):
//!
//! ```sh
//! curl -i localhost:3000/pictures -H 'x-user: ana' --data-binary @cat.jpg         # 201, with an id
//! ID=…                                                                            # that id
//! COLLAGE="{\"title\":\"Cats\",\"references\":[\"$ID\"]}"
//! curl -i localhost:3000/collage -H 'x-user: ana' --json "$COLLAGE"               # 200
//! curl -i localhost:3000/collage -H 'x-user: bob' --json "$COLLAGE"               # 404
//! curl -i localhost:3000/collage --json "$COLLAGE"                                # 401
//! curl -o thumbnail.webp localhost:3000/pictures/$ID/thumbnail -H 'x-user: ana'   # 200 × 200 pixels
//! curl -i localhost:3000/pictures/$ID/thumbnail -H 'x-user: bob'                  # 404
//! ```
//!
//! Media is stored in the folder `media` and is still there after a restart. The address and the folder
//! are the arguments. Default: `127.0.0.1:3000 media`.

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

/// The body of the request. The ids of a new field are verified as well, or it does not compile.
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

/// Delivers the thumbnail of one picture. The first request makes and stores it.
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

/// In place of authentication: it trusts the header `x-user` of the client.
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
    println!("listening on http://{}; pictures are stored in {folder}", listener.local_addr()?);
    Ok(axum::serve(listener, app(&media)).await?)
}
