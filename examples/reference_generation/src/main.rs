//! Run with `cargo run -p reference_generation`.
//!
//! Reference-based image generation: a route takes up to eight media ids in three scopes. Its handler
//! runs only if the caller owns all of them. It sends the pictures to an image model as a multipart
//! request, and stores the result. The program starts both the image model and the client: the client
//! uploads references for two users, requests a picture from the first user's references, and then one
//! that includes a reference of the second user, which is refused.

use std::error::Error;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Multipart, Path, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::post,
};
use reqwest::{Client, multipart};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_media::{
    ErrorKind, Media, MediaIds, MediaState, Owner, Rendition, Result, UnverifiedId, Upload,
    VerifiedMedia, VerifyMediaLayer, backend::DownloadedMedia,
};

#[derive(serde::Deserialize, MediaIds)]
struct Generate {
    prompt: String,
    references: Vec<UnverifiedId>,
}

async fn generate(
    VerifiedMedia(Json(request), owned): VerifiedMedia<Json<Generate>>,
    State(model): State<Model>,
    media: MediaState,
) -> Result<(StatusCode, Json<Media>)> {
    // `InMemory` has originals only. With a `Store`, download `Rendition::png(1024)`.
    let references = media.download_all(owned.ids(), Rendition::Original).await?;
    let picture = model.edit(&request.prompt, references).await?;
    let upload = Upload::new(picture).file_name("edit.bmp").scope("picture");
    Ok((StatusCode::CREATED, Json(media.upload(owned.owner(), upload).await?)))
}

/// An image model behind HTTP.
#[derive(Clone)]
struct Model {
    client: Client,
    url: String,
}

impl Model {
    async fn edit(&self, prompt: &str, references: Vec<DownloadedMedia>) -> Result<Bytes> {
        let away = |error| {
            tower_media::Error::new(ErrorKind::Unavailable, "the image model failed")
                .with_source(error)
        };
        let mut form = multipart::Form::new().text("prompt", prompt.to_owned());
        for DownloadedMedia { id, content_type, bytes, .. } in references {
            let part = multipart::Part::stream(bytes).file_name(id.to_string());
            form = form.part("image[]", part.mime_str(&content_type).map_err(away)?);
        }
        let request = self.client.post(&self.url).multipart(form);
        let response = request.send().await.and_then(|r| r.error_for_status()).map_err(away)?;
        response.bytes().await.map_err(away)
    }
}

async fn upload(
    owner: Owner,
    media: MediaState,
    Path(scope): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Media>)> {
    let stored = media.upload(&owner, Upload::new(body).scope(scope)).await?;
    Ok((StatusCode::CREATED, Json(stored)))
}

fn app(media: &MediaState, model: Model) -> Router {
    let guard = VerifyMediaLayer::<Json<Generate>>::new(media.clone())
        .scopes(["me", "wardrobe", "comic"])
        .id_count(1..=8);
    Router::new()
        .route("/generate", post(generate).layer(guard))
        .route("/upload/{scope}", post(upload))
        .with_state(model)
        .layer(media.layer())
        .layer(from_fn(demo_login))
}

/// In place of authentication: it trusts the header `x-user` of the client.
async fn demo_login(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    if let Some(Ok(owner)) = user.map(Owner::new) {
        request.extensions_mut().insert(owner);
    }
    next.run(request).await
}

/// The model: one stripe per picture, in a colour computed from the picture's bytes.
async fn paint(mut form: Multipart) -> Response {
    let mut colours = Vec::new();
    while let Ok(Some(field)) = form.next_field().await {
        if field.name() == Some("image[]") {
            match field.bytes().await {
                Ok(bytes) => colours.push(colour_of(&bytes)),
                Err(error) => return error.into_response(),
            }
        }
    }
    bitmap(&colours).into_response()
}

fn colour_of(bytes: &[u8]) -> [u8; 3] {
    let sum =
        bytes.iter().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    let [blue, green, red, _] = sum.to_le_bytes();
    [blue, green, red]
}

/// Encodes a Windows bitmap with one square of 16 × 16 pixels per colour.
fn bitmap(colours: &[[u8; 3]]) -> Vec<u8> {
    let row: Vec<u8> = colours.iter().flat_map(|colour| colour.repeat(16)).collect();
    let (width, height) = (colours.len() as u32 * 16, 16u32);
    let size = 54 + row.len() as u32 * height;
    let mut file = b"BM".to_vec();
    for number in [size, 0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend(row.repeat(height as usize));
    file
}

/// Serves on a free port of the loopback interface and returns the URL.
async fn serve(router: Router) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// A client that is authenticated as one user.
struct Person<'a> {
    name: &'a str,
    site: &'a str,
    client: &'a Client,
}

impl Person<'_> {
    async fn upload(&self, scope: &str, content: &'static str) -> reqwest::Result<Value> {
        let url = format!("{}/upload/{scope}", self.site);
        self.client.post(url).header("x-user", self.name).body(content).send().await?.json().await
    }

    async fn generate(&self, references: &[&Value]) -> reqwest::Result<(StatusCode, Value)> {
        let body =
            json!({ "prompt": "a portrait in the style of the comic", "references": references });
        let url = format!("{}/generate", self.site);
        let response = self.client.post(url).header("x-user", self.name).json(&body).send().await?;
        Ok((response.status(), response.json().await?))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new();
    let url = serve(Router::new().route("/", post(paint))).await?;
    let model = Model { client: client.clone(), url };
    let site = &serve(app(&MediaState::in_memory(), model)).await?;

    let [ana, bob] = ["ana", "bob"].map(|name| Person { name, site, client: &client });
    let face = ana.upload("me", "a face").await?;
    let coat = ana.upload("wardrobe", "a coat").await?;
    let style = ana.upload("comic", "a style").await?;
    let secret = bob.upload("me", "another face").await?;

    let (status, edit) = ana.generate(&[&face["id"], &coat["id"], &style["id"]]).await?;
    println!("from her own references: {status}\n{edit:#}\n");
    assert_eq!((status, &edit["mimeType"]), (StatusCode::CREATED, &json!("image/bmp")));

    let (status, refusal) = ana.generate(&[&face["id"], &secret["id"]]).await?;
    println!("with one of another person: {status}\n{refusal:#}");
    assert_eq!((status, &refusal["missing"]), (StatusCode::NOT_FOUND, &json!([secret["id"]])));
    Ok(())
}
