//! What a file is, by its bytes, and what its header says.

use std::io::{BufRead, Seek, SeekFrom};

use image::{ImageDecoder, ImageFormat, metadata::Orientation};

#[cfg(any(feature = "heic", feature = "avif"))]
use super::heif;
use super::{
    ImageLimits, exif,
    input::{self, Input},
    jpeg,
};
use crate::{
    error::Result,
    media::{Exif, Metadata, sniff},
};

/// The formats that renditions are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Other(ImageFormat),
    #[cfg(any(feature = "heic", feature = "avif"))]
    Heif,
}

impl Kind {
    /// The kind of what is to be read, if renditions can be made of it; the file's ending and the
    /// client's word are not asked (promise P4).
    pub(super) fn of(mut input: Input) -> Result<Option<(Self, Input)>> {
        let deadline = input::deadline(&input);
        let start = input.fill_buf().map_err(|error| input::failed(deadline, error))?;
        let kind = match sniff(start) {
            Some("image/jpeg") => Self::Jpeg,
            Some("image/png") => Self::Other(ImageFormat::Png),
            Some("image/gif") => Self::Other(ImageFormat::Gif),
            Some("image/webp") => Self::Other(ImageFormat::WebP),
            // The item types in the container tell the codec.
            #[cfg(feature = "heic")]
            Some("image/heif") => Self::Heif,
            #[cfg(feature = "avif")]
            Some("image/avif") => Self::Heif,
            _ => return Ok(None),
        };
        Ok(Some((kind, input)))
    }

    /// The name in records of the media protocol.
    fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Other(ImageFormat::Png) => "png",
            Self::Other(ImageFormat::Gif) => "gif",
            Self::Other(_) => "webp",
            #[cfg(any(feature = "heic", feature = "avif"))]
            Self::Heif => "heif",
        }
    }
}

/// What is known of a picture without its pixels. Sides are those stored, before the orientation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: Orientation,
    pub(super) exif: Option<Exif>,
    has_alpha: bool,
}

impl Header {
    pub(super) fn read(kind: Kind, mut input: Input, limits: &ImageLimits) -> Result<Self> {
        let deadline = input::deadline(&input);
        let failed = |error| input::failed(deadline, error);
        let (orientation, exif) = match kind {
            // The container's own transforms are applied, and the EXIF orientation is ignored.
            #[cfg(any(feature = "heic", feature = "avif"))]
            Kind::Heif => {
                let exif = heif::exif(&mut input).and_then(exif::parse);
                (Orientation::NoTransforms, exif)
            }
            _ => exif::read(&mut input),
        };
        input.seek(SeekFrom::Start(0)).map_err(failed)?;
        let ((width, height), has_alpha) = match kind {
            Kind::Jpeg => {
                let header = jpeg::FrameHeader::read(&mut input).map_err(failed)?;
                // The least that any rendition of it needs.
                limits.check_memory(header.memory(jpeg::MAX_DIVISOR))?;
                (header.size(), false)
            }
            Kind::Other(format) => {
                let decoder = open(input, format, limits)?;
                (decoder.dimensions(), decoder.color_type().has_alpha())
            }
            #[cfg(any(feature = "heic", feature = "avif"))]
            Kind::Heif => heif::read_header(input, limits)?,
        };
        limits.check_size(width, height)?;
        Ok(Self { kind, width, height, orientation, exif, has_alpha })
    }

    /// Width and height as the picture is shown.
    pub(super) fn shown(&self) -> (u32, u32) {
        turned((self.width, self.height), self.orientation)
    }

    pub(super) fn metadata(&self) -> Metadata {
        let (width, height) = self.shown();
        let mut metadata = Metadata::new(width, height);
        metadata.format = Some(self.kind.name().into());
        metadata.has_alpha = self.has_alpha;
        metadata
    }
}

/// The size after an orientation is applied, or before it: it is the same question.
pub(super) fn turned((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    }
}

/// Opens every format but JPEG: the header is read and held against the limits.
#[expect(clippy::disallowed_types, reason = "src/image is the only entry point to decoders (P1)")]
pub(super) fn open(
    input: Input,
    format: ImageFormat,
    limits: &ImageLimits,
) -> Result<impl ImageDecoder> {
    let deadline = input::deadline(&input);
    let mut allowed = image::Limits::default();
    // `ImageLimits::check_size` checks the sides, and names them in its error.
    (allowed.max_image_width, allowed.max_image_height) = (None, None);
    allowed.max_alloc = Some(limits.max_memory);
    let mut reader = image::ImageReader::with_format(input, format);
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(|error| input::failed(deadline, error))?;
    // The decoder does not count the output buffer.
    limits.check_memory(decoder.total_bytes())?;
    Ok(decoder)
}
