//! Run with `cargo run --example contact_sheet -- FILES…`.
//!
//! Uploads the files to a store in a temporary folder and writes `contact_sheet.png`. The sheet has a
//! numbered row per file with five renditions: the thumbnail, the medium and the large variant, a PNG,
//! and a letterboxed JPEG. Transparent pixels show a chequered background; the row of a refused file is
//! empty. The printed table has the record of each file, or the reason why it has no renditions.

use std::{env, error::Error as StdError, fs, path::Path};

use image::{DynamicImage, Rgba, RgbaImage, imageops};
use tower_media::{
    Error, ErrorKind, Media, MediaState, Owner, Rendition, Result, Store, Upload,
    media::{Fit, Format, Transform, Variant},
};

const CELL: u32 = 160;
const SHEET: &str = "contact_sheet.png";
const MAX_BYTES: usize = 64 << 20;

fn renditions() -> [Rendition; 5] {
    let bars = Transform::new().with_width(150).with_height(150).with_fit(Fit::Contain);
    let [thumbnail, medium, large] = Variant::ALL.map(Rendition::from);
    [thumbnail, medium, large, Rendition::png(150), bars.with_format(Format::Jpeg).into()]
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let files: Vec<String> = env::args().skip(1).collect();
    if files.is_empty() {
        return Err("usage: contact_sheet FILES…".into());
    }
    let folder = tempfile::tempdir()?;
    let media = MediaState::new(Store::open(folder.path()).await?);
    let owner = Owner::new("contact-sheet")?;

    let mut rows = Vec::new();
    for (row, file) in files.iter().enumerate() {
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        let upload = Upload::new(fs::read(file)?).file_name(&*name).scope("sheet");
        let told = match media.upload(&owner, upload).await {
            Ok(record) => {
                let pictures = pictures(&media, &record).await;
                let renditions = match &pictures {
                    Ok(pictures) => sizes(pictures),
                    Err(error) => reason(error),
                };
                rows.push(pictures.unwrap_or_default());
                format!("{}\n     {renditions}", describe(&record)?)
            }
            Err(error) => {
                rows.push(Vec::new());
                format!("not stored: {}", reason(&error))
            }
        };
        println!("{:>3}. {name}: {told}", row + 1);
    }
    sheet(&rows).save(SHEET)?;
    println!("{SHEET}: {} rows of {} cells", rows.len(), renditions().len());
    Ok(())
}

/// Returns the renditions of one file, or the error of the first one that fails.
async fn pictures(media: &MediaState, record: &Media) -> Result<Vec<DynamicImage>> {
    let mut pictures = Vec::new();
    for rendition in renditions() {
        let bytes = media.download(&record.id, rendition).await?.into_bytes(MAX_BYTES).await?;
        pictures.push(decode(&bytes)?);
    }
    Ok(pictures)
}

#[expect(clippy::disallowed_methods, reason = "decodes renditions that the store has just encoded")]
fn decode(rendition: &[u8]) -> Result<DynamicImage> {
    image::load_from_memory(rendition).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "a rendition cannot be decoded").with_source(error)
    })
}

fn describe(record: &Media) -> serde_json::Result<String> {
    let metadata = serde_json::to_string(&record.metadata)?;
    let exif = serde_json::to_string(&record.exif)?;
    Ok(format!("{} of {} bytes, {metadata}, EXIF {exif}", record.mime_type, record.size))
}

fn sizes(pictures: &[DynamicImage]) -> String {
    let size = |picture: &DynamicImage| format!("{}×{}", picture.width(), picture.height());
    format!("renditions {}", pictures.iter().map(size).collect::<Vec<_>>().join(", "))
}

fn reason(error: &Error) -> String {
    format!("{:?}: {error}", error.kind())
}

fn sheet(rows: &[Vec<DynamicImage>]) -> RgbaImage {
    let (width, height) = (CELL * renditions().len() as u32, CELL * rows.len() as u32);
    let mut sheet = RgbaImage::from_fn(width, height, |x, y| match (x / 8 + y / 8) % 2 {
        0 => Rgba([255, 255, 255, 255]),
        _ => Rgba([208, 208, 208, 255]),
    });
    for (row, pictures) in rows.iter().enumerate() {
        for (column, picture) in pictures.iter().enumerate() {
            let room = CELL - 4;
            let small = match picture.width().max(picture.height()) {
                longest if longest > room => picture.thumbnail(room, room),
                _ => picture.clone(),
            };
            let (x, y) = (column as u32 * CELL + 2, row as u32 * CELL + 2);
            imageops::overlay(&mut sheet, &small.to_rgba8(), x.into(), y.into());
        }
    }
    sheet
}
