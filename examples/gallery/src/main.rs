//! Run with `cargo run -p gallery` and open the address that it prints.
//!
//! Two users store pictures in one application. Each sees their own, makes collages of them and shares
//! them by links. A button sends a request with the ids of the other user, and shows the refusal.
//!
//! Pictures are stored in the folder `gallery` and are still there after a restart. The address and the
//! folder are the arguments. Default: `127.0.0.1:3000 gallery`.

mod collage;
mod page;
mod people;
mod pictures;
mod samples;

use axum::{
    Json, Router,
    extract::Path,
    middleware::from_fn,
    routing::{delete, get, post},
};
use tower_media::{
    MediaState, Store, UnverifiedId, VerifyMediaLayer,
    routes::{PartialUploads, UploadPolicy, UploadRoutes, UrlSigner},
    store::MakeVariants,
};
use tower_sessions::{MemoryStore, SessionManagerLayer};

use self::collage::{Collage, Entered};

/// The scope of all pictures.
const SCOPE: &str = "gallery";

/// The accepted types: images, and for the demonstration types that a browser could run. The bytes
/// decide; SVG does not count as an image.
const TYPES: [&str; 10] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "text/html",
    "text/xml",
    "text/javascript",
    "text/css",
    "text/plain",
    "application/octet-stream",
];

/// Opens the store in a folder, and adds the sample pictures.
pub(crate) async fn open(
    folder: impl AsRef<std::path::Path>,
    links: UrlSigner,
) -> Result<MediaState, Box<dyn std::error::Error>> {
    let store = Store::builder().variants(MakeVariants::Ahead).open(folder).await?;
    let links = links.with_window(pictures::LINK_WINDOW);
    let media = MediaState::builder(store).url_signer(links).build();
    samples::add(&media).await?;
    Ok(media)
}

pub(crate) fn app(media: &MediaState, partial_uploads: PartialUploads) -> Router {
    let references =
        VerifyMediaLayer::<Json<Collage>>::new(media.clone()).scopes([SCOPE]).id_count(1..=8);
    let by_path = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone()).scopes([SCOPE]);
    let policy = UploadPolicy::of_types(TYPES).scope(SCOPE).max_bytes(200 << 20);
    let uploads = UploadRoutes::new(media.clone(), "/uploads", policy).tus(partial_uploads);

    Router::new()
        .route("/collage", post(collage::make).layer(references))
        .route("/pictures/{id}", delete(pictures::remove).layer(by_path.clone()))
        .route("/pictures/{id}/share", post(pictures::share).layer(by_path))
        .route("/pictures", get(pictures::list))
        .merge(uploads.into_router())
        .merge(media.delivery_routes())
        .route("/demo/entered", get(collage::entered))
        .route("/demo/leaked", get(people::leaked))
        .route("/session", get(people::who).post(people::sign_in).delete(people::sign_out))
        .with_state(Entered::default())
        .layer(media.layer())
        .layer(from_fn(people::identify))
        // `Secure` cookies need TLS, which the demonstration does not have.
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false))
        .merge(page::routes())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:3000".to_owned());
    let folder = arguments.next().unwrap_or("gallery".to_owned());

    // A new secret per start, so links are valid until the process ends. Processes that accept each
    // other's links share a secret.
    let links = UrlSigner::new("this-start", rand::random::<[u8; 32]>())?;
    let media = open(&folder, links).await?;

    let listener = tokio::net::TcpListener::bind(address).await?;
    // Unfinished uploads are kept beside the pictures.
    let partial_uploads = PartialUploads::in_folder(&folder)?;
    println!("open http://{}; pictures are stored in {folder}", listener.local_addr()?);
    Ok(axum::serve(listener, app(&media, partial_uploads)).await?)
}
