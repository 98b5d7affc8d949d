//! Run with `cargo run --example routes` and follow the `curl` lines of the guide's page on delivery.
//!
//! A gallery of ready-made routes: uploads, delivery to owners, and signed URLs for others. Images stay in the
//! folder `media` after the program has ended. The arguments are an address and a folder; the defaults are
//! `127.0.0.1:3000` and `media`.

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, Request},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use tower_media::{
    MediaState, Owner, Result, Store, UnverifiedId, VerifiedMedia, VerifyMediaLayer,
    media::{Fit, Transform},
    routes::{DeliveryRoutes, UploadPolicy, UrlSigner},
};

/// Returns a signed URL of a smaller version of an image, for its owner to share.
async fn share(
    VerifiedMedia(Path(id), owned): VerifiedMedia<Path<UnverifiedId>>,
    media: MediaState,
) -> Result<String> {
    let shared = Transform::new().with_width(1200).with_height(1200);
    Ok(media.signed_url(&owned[&id], shared, Duration::from_secs(3600))? + "\n")
}

/// Stands for real authentication: it trusts the header `x-user`.
async fn demo_login(mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    if let Some(user) = user {
        let owner = Owner::new(user).map_err(|_| StatusCode::BAD_REQUEST)?;
        request.extensions_mut().insert(owner);
    }
    Ok(next.run(request).await)
}

fn app(media: &MediaState) -> Result<Router> {
    let avatar = Transform::new().with_width(96).with_height(96).with_fit(Fit::Cover);
    let delivery = DeliveryRoutes::new(media.clone()).transform("avatar", avatar)?;
    let guard = VerifyMediaLayer::<Path<UnverifiedId>>::new(media.clone());
    Ok(Router::new()
        .route("/share/{id}", get(share).layer(guard))
        .merge(delivery.into_router())
        .merge(media.upload_routes("/pictures", UploadPolicy::images().scope("me").max_files(4)))
        .layer(media.layer())
        .layer(from_fn(demo_login)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:3000".to_owned());
    let folder = arguments.next().unwrap_or("media".to_owned());
    // A real secret is random, and is read from the configuration of the application.
    let signer = UrlSigner::new("demo", "for this demonstration only; it is not a secret")?;
    let media = MediaState::builder(Store::open(&folder).await?).url_signer(signer).build();
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}; the folder is {folder}", listener.local_addr()?);
    Ok(axum::serve(listener, app(&media)?).await?)
}
