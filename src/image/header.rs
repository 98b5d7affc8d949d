//! Reading the header of an image, without its pixels.

use image::metadata::Orientation;

#[cfg(any(feature = "heic", feature = "avif"))]
use super::heif;
#[cfg(feature = "tiff")]
use super::tiff;
use super::{
    exif,
    format::{Format, RawHeader},
    gif,
    input::Input,
    jpeg,
    limits::ImageLimits,
    png, webp,
};
use crate::{
    error::Result,
    media::{Exif, Metadata},
};

/// The header of an image that is within the limits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) format: Format,
    /// Width and height as stored, before the orientation is applied.
    pub(super) size: (u32, u32),
    pub(super) orientation: Orientation,
    pub(super) exif: Option<Exif>,
    has_alpha: bool,
}

impl Header {
    pub(super) fn read(format: Format, input: Input, limits: &ImageLimits) -> Result<Self> {
        let RawHeader { size, has_alpha, exif, orientation } = match format {
            Format::Jpeg => jpeg::read_header(input, limits),
            Format::Png => png::read_header(input, limits),
            Format::Gif => gif::read_header(input, limits),
            Format::WebP => webp::read_header(input, limits),
            #[cfg(any(feature = "heic", feature = "avif"))]
            Format::Heif => heif::read_header(input, limits),
            #[cfg(feature = "tiff")]
            Format::Tiff => tiff::read_header(input, limits),
        }?;
        limits.check_size(size.0, size.1)?;
        let (exif_orientation, exif) =
            exif.map_or((Orientation::NoTransforms, None), |exif| exif::parse(&exif));
        let orientation = orientation.unwrap_or(exif_orientation);
        Ok(Self { format, size, orientation, exif, has_alpha })
    }

    /// Returns width and height as displayed, after the orientation is applied.
    pub(super) fn display_size(&self) -> (u32, u32) {
        oriented_size(self.size, self.orientation)
    }

    pub(super) fn metadata(&self) -> Metadata {
        let (width, height) = self.display_size();
        let mut metadata = Metadata::new(width, height);
        metadata.format = Some(self.format.name().into());
        metadata.has_alpha = self.has_alpha;
        metadata
    }
}

/// Converts between the sizes before and after an orientation, in either direction.
pub(super) fn oriented_size((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    }
}
