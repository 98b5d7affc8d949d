//! Run with `cargo run -p openapi`: the guard's responses and the ids in an application's OpenAPI
//! document, with the crate `utoipa` and the feature of the same name.
//!
//! ```sh
//! cargo run -p openapi -- --print                # the document, OpenAPI 3.1 as JSON
//! curl localhost:3000/openapi.json               # the same from the running application
//! ID=$(curl -s localhost:3000/pictures -H 'x-user: ana' -d 'stands for a picture')
//! curl -i localhost:3000/pictures/$ID -H 'x-user: ana'                             # 200
//! curl -i localhost:3000/pictures/$ID -H 'x-user: bob'                             # 404
//! curl -i localhost:3000/pictures/$ID                                              # 401
//! ```
//!
//! The address is the argument. Default: `127.0.0.1:3000`.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use tower_media::{
    MediaId, MediaIds, MediaState, Owner, Rendition, Result, UnverifiedId, Upload, VerifiedMedia,
    VerifyMediaLayer, error::Problem, extract::VerifyMediaRejection, media::Download,
};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::security::{ApiKey, ApiKeyValue, SecurityScheme},
};

#[derive(serde::Deserialize, MediaIds, ToSchema)]
struct Collage {
    title: String,
    #[schema(min_items = 1, max_items = 8)]
    references: Vec<UnverifiedId>,
}

/// Makes a collage of the caller's own pictures.
#[utoipa::path(
    post,
    path = "/collage",
    request_body = Collage,
    responses((status = 200, description = "The collage", body = String), VerifyMediaRejection)
)]
async fn collage(VerifiedMedia(Json(made), owned): VerifiedMedia<Json<Collage>>) -> String {
    format!("{}, of {} pictures", made.title, owned.ids().len())
}

/// Delivers a picture to its owner.
#[utoipa::path(
    get,
    path = "/pictures/{id}",
    params(("id" = UnverifiedId, Path, description = "One of the caller's own pictures")),
    responses(
        (status = 200, description = "The picture", content_type = "application/octet-stream"),
        VerifyMediaRejection
    )
)]
async fn picture(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<Download> {
    media.download(&owned[&id], Rendition::Original).await
}

/// Stores a picture. The route has no guard, because the request carries no id.
#[utoipa::path(
    post,
    path = "/pictures",
    request_body(content_type = "application/octet-stream", description = "The picture"),
    responses(
        (status = 201, description = "Its id", body = MediaId, content_type = "text/plain"),
        (
            status = 401,
            description = "The request is not authenticated",
            body = Problem,
            content_type = "application/problem+json"
        )
    )
)]
async fn upload(owner: Owner, media: MediaState, body: Bytes) -> Result<(StatusCode, String)> {
    let stored = media.upload(&owner, Upload::new(body).scope("me")).await?;
    Ok((StatusCode::CREATED, stored.id.to_string()))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Pictures", description = "Stores its users' pictures", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    servers((url = "/")),
    paths(collage, picture, upload),
    security(("demo_login" = [])),
    modifiers(&DemoLogin)
)]
struct Api;

/// Adds the header that authenticates requests to the document.
struct DemoLogin;

impl Modify for DemoLogin {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let header =
            ApiKeyValue::with_description("x-user", "For demonstration: the value is trusted");
        let components = document.components.get_or_insert_default();
        components
            .add_security_scheme("demo_login", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
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
    let references = VerifyMediaLayer::<Json<Collage>>::new(media.clone()).id_count(1..=8);
    let by_path = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
    Router::new()
        .route("/collage", post(collage).layer(references))
        .route("/pictures/{id}", get(picture).layer(by_path))
        .route("/pictures", post(upload))
        .layer(media.layer())
        .layer(from_fn(demo_login))
        .route("/openapi.json", get(async || Json(Api::openapi())))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    if argument == "--print" {
        println!("{}", Api::openapi().to_pretty_json()?);
        return Ok(());
    }
    let listener = tokio::net::TcpListener::bind(argument).await?;
    println!("listening on http://{}; pictures are kept in memory only", listener.local_addr()?);
    Ok(axum::serve(listener, app(&MediaState::in_memory())).await?)
}
