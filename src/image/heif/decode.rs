//! Decodes the primary image of a HEIC or AVIF file.
//!
//! The `meta` box is read first, then the coded images one at a time: each is decoded, drawn at its place
//! and freed, so a photograph in tiles takes the memory of its pixels and of one tile. The deadline is
//! checked between coded images. Rotation, mirroring and cropping come from the container; the orientation
//! in the EXIF data repeats them and is ignored (ISO/IEC 23000-22).

use image::{DynamicImage, metadata::Orientation};
use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics,
};

use super::{
    boxes::{self, invalid},
    canvas::Canvas,
    items::{Items, MAX_DEPTH},
    meta::Meta,
    painter::Painter,
    properties::Nclx,
};
use crate::{
    error::Result,
    image::{
        color,
        format::RawHeader,
        input::{self, Input},
        limits::ImageLimits,
    },
};

/// Reads the header, with the size as displayed, and checks the memory limit.
pub(in crate::image) fn read_header(mut input: Input, limits: &ImageLimits) -> Result<RawHeader> {
    let deadline = input::deadline(&input);
    let failed = |error| input::failed(deadline, error);
    let header = Header::read(&mut input).map_err(failed)?;
    limits.check_memory(header.memory(&mut input).map_err(failed)?)?;
    let exif = header.meta.exif(&mut input).unwrap_or_default();
    // The container's own transforms are applied, and the EXIF orientation is ignored.
    let orientation = Some(Orientation::NoTransforms);
    Ok(RawHeader { size: header.size, has_alpha: header.has_alpha, exif, orientation })
}

/// Decodes the image as displayed, and converts it to sRGB.
pub(in crate::image) fn decode(mut input: Input, limits: &ImageLimits) -> Result<DynamicImage> {
    let deadline = input::deadline(&input);
    let failed = |error| input::failed(deadline, error);
    let header = Header::read(&mut input).map_err(failed)?;
    let Header { size, has_alpha, .. } = header;
    let channels = if has_alpha { 4 } else { 3 };
    let canvas = Canvas { size, channels, pixels: Vec::new() };
    let mut painter =
        Painter { meta: &header.meta, input, limits, deadline, canvas, stream_nclx: None };
    painter.draw_primary().map_err(failed)?;
    deadline.check()?;
    let Painter { canvas, stream_nclx, .. } = painter;
    let image = color::image_from_bytes(size, channels, canvas.pixels)?;
    color::to_srgb(image, header.color_profile(stream_nclx).as_ref(), deadline)
}

/// The container, and the primary image as displayed.
struct Header {
    meta: Meta,
    size: (u32, u32),
    has_alpha: bool,
}

impl Header {
    fn read(input: &mut Input) -> boxes::Result<Self> {
        let meta = Meta::read(input)?;
        let mut items = Items { meta: &meta, input };
        let id = meta.primary;
        let (size, has_alpha) = (items.displayed_size(id, 0)?, items.has_alpha(id, 0));
        if size.0 == 0 || size.1 == 0 {
            return invalid("the image has no pixels");
        }
        Ok(Self { meta, size, has_alpha })
    }

    /// Returns the peak of memory of decoding, as far as the header tells.
    fn memory(&self, input: &mut Input) -> boxes::Result<u64> {
        let mut items = Items { meta: &self.meta, input };
        let (id, is_only_image) = items.first_coded(self.meta.primary, 0)?;
        let (codec, config) = self.meta.codec_config(id)?;
        let (width, height) = self.meta.spatial_extents(id)?;
        let coded_pixels = u64::from(width) * u64::from(height);
        let canvas = u64::from(self.size.0) * u64::from(self.size.1);
        let canvas = canvas.saturating_mul(if self.has_alpha { 4 } else { 3 });
        let decoding = coded_pixels.saturating_mul(codec.bytes_per_pixel(config));
        // The canvas is allocated after the first image is decoded.
        let drawing = canvas.saturating_add(coded_pixels.saturating_mul(3) / 2);
        Ok(if is_only_image { decoding.max(drawing) } else { decoding.saturating_add(canvas) })
    }

    /// Returns the ICC profile of the file, or a profile of its `nclx` color information.
    fn color_profile(&self, stream_nclx: Option<Nclx>) -> Option<ColorProfile> {
        let mut id = self.meta.primary;
        let mut nclx = None;
        for _ in 0..MAX_DEPTH {
            if let Some(profile) = self.meta.icc_profile(id).and_then(color::parse_profile) {
                return Some(profile);
            }
            nclx = nclx.or(self.meta.nclx(id));
            let Some(source) = self.meta.sources(id).first() else { break };
            id = *source;
        }
        let nclx = nclx.or(stream_nclx)?;
        // sRGB and its relatives need no profile. HDR (PQ and HLG) exceeds sRGB: its values are kept, as
        // libheif does.
        let primaries = match nclx.primaries {
            9 => CicpColorPrimaries::Bt2020,
            11 => CicpColorPrimaries::Smpte431,
            12 => CicpColorPrimaries::Smpte432,
            _ => return None,
        };
        if !matches!(nclx.transfer, 1 | 2 | 6 | 13 | 14 | 15) {
            return None;
        }
        Some(ColorProfile::new_from_cicp(CicpProfile {
            color_primaries: primaries,
            transfer_characteristics: TransferCharacteristics::Srgb,
            matrix_coefficients: MatrixCoefficients::Bt709,
            full_range: true,
        }))
    }
}
