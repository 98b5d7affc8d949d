//! A collage of up to eight pictures: the handler that must never get another user's picture.

use std::{
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use image::{
    DynamicImage, ImageError, ImageFormat, Rgba, RgbaImage,
    imageops::{FilterType, overlay},
};
use serde::Deserialize;
use tower_media::{
    Error, ErrorKind, MediaIds, MediaState, Rendition, Result, UnverifiedId, Upload, VerifiedMedia,
    backend::DownloadedMedia,
};

/// The side of a tile in pixels. `GAP` is the gap around it.
const TILE: u32 = 400;
const GAP: u32 = 16;
const PAPER: Rgba<u8> = Rgba([250, 248, 244, 255]);

/// The body of the request. The ids of a new field are verified as well, or it does not compile.
#[derive(Deserialize, MediaIds)]
pub(crate) struct Collage {
    references: Vec<UnverifiedId>,
}

/// The number of times that the handler ran, for the page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entered(Arc<AtomicU64>);

pub(crate) async fn entered(State(entered): State<Entered>) -> Json<u64> {
    Json(entered.0.load(Ordering::Relaxed))
}

/// Runs only if the caller owns every reference.
pub(crate) async fn make(
    State(entered): State<Entered>,
    VerifiedMedia(Json(request), owned): VerifiedMedia<Json<Collage>>,
    media: MediaState,
) -> Result<Response> {
    entered.0.fetch_add(1, Ordering::Relaxed);

    let ids = request.references.iter().map(|id| &owned[id]);
    let pictures = media.download_all(ids, Rendition::png(TILE * 2)).await.map_err(not_an_image)?;
    let composed = tokio::task::spawn_blocking(move || compose(&pictures));
    let png = composed.await.map_err(internal)?.map_err(internal)?;

    let upload = Upload::new(png).file_name("collage.png").scope(super::SCOPE);
    let stored = media.upload(owned.owner(), upload).await?;
    Ok((StatusCode::CREATED, stored.for_owner()).into_response())
}

/// Composes at least one picture into rows on a background.
fn compose(pictures: &[DownloadedMedia]) -> Result<Vec<u8>, ImageError> {
    let columns = (pictures.len() - 1).isqrt() + 1;
    let rows = pictures.len().div_ceil(columns);
    let side = |tiles: usize| tiles as u32 * (TILE + GAP) + GAP;

    let mut paper = RgbaImage::from_pixel(side(columns), side(rows), PAPER);
    for (y, row) in pictures.chunks(columns).enumerate() {
        // A shorter last row is centred.
        let left = (side(columns) - side(row.len())) / 2;
        for (x, picture) in row.iter().enumerate() {
            overlay(&mut paper, &tile(picture)?, (left + side(x)).into(), side(y).into());
        }
    }
    let mut png = Cursor::new(Vec::new());
    DynamicImage::from(paper).into_rgb8().write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// Decodes and crops one picture to a square.
fn tile(picture: &DownloadedMedia) -> Result<RgbaImage, ImageError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "not an upload: a PNG of bounded size that the store has just encoded"
    )]
    let decoded = image::load_from_memory_with_format(&picture.bytes, ImageFormat::Png)?;
    Ok(decoded.resize_to_fill(TILE, TILE, FilterType::Triangle).into_rgba8())
}

/// Reports a file without renditions, such as a text, as an error of the client.
fn not_an_image(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::Failed => {
            Error::new(ErrorKind::InvalidInput, "a collage is made of pictures only")
        }
        _ => error,
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "the collage could not be composed").with_source(error)
}
