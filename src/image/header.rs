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
    error::{Error, ErrorKind, Result},
    media::{Exif, Metadata},
};

/// The formats that renditions are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Other(ImageFormat),
    #[cfg(any(feature = "heic", feature = "avif"))]
    Heif(heif::Codec),
}

impl Kind {
    /// The kind of what is to be read, if renditions can be made of it; the file's ending and the
    /// client's word are not asked (promise P4).
    pub(super) fn of(mut input: Input) -> Result<Option<(Self, Input)>> {
        let deadline = input::deadline(&input);
        let start = input.fill_buf().map_err(|error| input::failed(deadline, error))?;
        let kind = match infer::get(start).map(|found| found.mime_type()) {
            Some("image/jpeg") => Self::Jpeg,
            Some("image/png") => Self::Other(ImageFormat::Png),
            Some("image/gif") => Self::Other(ImageFormat::Gif),
            Some("image/webp") => Self::Other(ImageFormat::WebP),
            #[cfg(feature = "heic")]
            Some("image/heif") => Self::Heif(heif::Codec::Hevc),
            #[cfg(feature = "avif")]
            Some("image/avif") => Self::Heif(heif::Codec::Av1),
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
            Self::Heif(_) => "heif",
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
        #[cfg_attr(not(any(feature = "heic", feature = "avif")), expect(unused_mut))]
        let (mut orientation, exif) = exif::read(&mut input);
        input.seek(SeekFrom::Start(0)).map_err(failed)?;
        let ((width, height), has_alpha) = match kind {
            Kind::Jpeg => {
                let header = jpeg::FrameHeader::read(&mut input).map_err(failed)?;
                // The least that any rendition of it needs.
                affordable(header.memory(jpeg::MAX_DIVISOR), limits)?;
                (header.size(), false)
            }
            Kind::Other(format) => {
                let decoder = open(input, format, limits)?;
                (decoder.dimensions(), decoder.color_type().has_alpha())
            }
            #[cfg(any(feature = "heic", feature = "avif"))]
            Kind::Heif(_) => {
                orientation = Orientation::NoTransforms;
                heif::shape(input, limits)?
            }
        };
        judge(width, height, limits)?;
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
    // Sides are judged by `judge`, which names them.
    (allowed.max_image_width, allowed.max_image_height) = (None, None);
    allowed.max_alloc = Some(limits.max_memory);
    let mut reader = image::ImageReader::with_format(input, format);
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(|error| input::failed(deadline, error))?;
    // For the pixels themselves the decoder asks nobody.
    affordable(decoder.total_bytes(), limits)?;
    Ok(decoder)
}

pub(super) fn affordable(memory: u64, limits: &ImageLimits) -> Result<()> {
    if memory > limits.max_memory {
        let message = format!("decoding the picture takes more than {} bytes", limits.max_memory);
        return Err(Error::new(ErrorKind::Failed, message));
    }
    Ok(())
}

fn judge(width: u32, height: u32, limits: &ImageLimits) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::new(ErrorKind::Failed, "the picture has no pixels"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > limits.max_side || pixels > limits.max_pixels {
        return Err(Error::new(
            ErrorKind::Failed,
            format!(
                "the picture is {width} x {height} pixels, and may have {} a side and {} in all",
                limits.max_side, limits.max_pixels
            ),
        ));
    }
    Ok(())
}
