//! Decodes the primary image of a HEIC or AVIF file.
//!
//! The `meta` box is read first, then the coded images one at a time: each is decoded, drawn at its place
//! and freed, so a photograph in tiles takes the memory of its pixels and of one tile. The deadline is
//! checked between coded images. Rotation, mirroring and cropping come from the container; the orientation
//! in the EXIF data repeats them and is ignored (ISO/IEC 23000-22).

use std::io::{BufRead, Seek};

use image::{DynamicImage, metadata::Orientation};
use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics,
};

#[cfg(feature = "avif")]
use super::av1;
#[cfg(feature = "heic")]
use super::hevc;
use super::{
    boxes::{self, MAX_DEPTH, Meta, Nclx, invalid, parse_grid},
    paint::{Canvas, Channel, Placement, Planes},
};
use crate::{
    error::Result,
    image::{
        color,
        deadline::Deadline,
        format::RawHeader,
        input::{self, Input},
        limits::ImageLimits,
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    #[cfg(feature = "heic")]
    Hevc,
    #[cfg(feature = "avif")]
    Av1,
}

impl Codec {
    fn of_item_type(item_type: [u8; 4]) -> Option<Self> {
        match &item_type {
            #[cfg(feature = "heic")]
            b"hvc1" | b"hev1" => Some(Self::Hevc),
            #[cfg(feature = "avif")]
            b"av01" => Some(Self::Av1),
            _ => None,
        }
    }

    /// Returns the type of the property with the decoder configuration.
    fn config_property(self) -> &'static [u8; 4] {
        match self {
            #[cfg(feature = "heic")]
            Self::Hevc => b"hvcC",
            #[cfg(feature = "avif")]
            Self::Av1 => b"av1C",
        }
    }

    /// Returns the bytes of memory per pixel that decoding takes, by the bit depth and chroma subsampling of
    /// the decoder configuration.
    fn bytes_per_pixel(self, config: &[u8]) -> u64 {
        match self {
            #[cfg(feature = "heic")]
            Self::Hevc => {
                let has_full_chroma = config.get(16).is_some_and(|chroma| chroma & 3 > 1);
                hevc::BYTES_PER_PIXEL + if has_full_chroma { hevc::BYTES_PER_PIXEL / 2 } else { 0 }
            }
            #[cfg(feature = "avif")]
            Self::Av1 => {
                let flags = config.get(2).copied().unwrap_or_default();
                let (is_deep, has_full_chroma) = (flags & 0x40 != 0, flags & 0x0C != 0x0C);
                let planes = 2 + u64::from(has_full_chroma);
                av1::BYTES_PER_PIXEL * (1 + u64::from(is_deep)) * planes / 2
            }
        }
    }
}

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
            if let Some(profile) = self.meta.icc_profile(id) {
                return color::parse_profile(profile);
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

impl Meta {
    fn codec_config(&self, id: u32) -> boxes::Result<(Codec, &[u8])> {
        let codec = self.item_type(id).and_then(Codec::of_item_type);
        let codec = codec.ok_or("unsupported item type of an image")?;
        let config = self.property(id, codec.config_property());
        Ok((codec, config.ok_or("the decoder configuration is missing")?))
    }
}

/// The items of a file, with the file for their data.
struct Items<'a, I> {
    meta: &'a Meta,
    input: &'a mut I,
}

impl<I: BufRead + Seek> Items<'_, I> {
    fn grid(&mut self, id: u32) -> boxes::Result<(u32, u32, (u32, u32))> {
        const MAX_GRID_BYTES: u64 = 64;
        parse_grid(&self.meta.item_data(self.input, id, MAX_GRID_BYTES)?)
    }

    /// Returns the size of an image before its transforms.
    fn stored_size(&mut self, id: u32, depth: u32) -> boxes::Result<(u32, u32)> {
        match self.meta.item_type(id) {
            Some(item_type) if item_type == *b"grid" => Ok(self.grid(id)?.2),
            Some(item_type) if item_type == *b"iden" => {
                self.displayed_size(self.only_source(id)?, depth + 1)
            }
            _ => {
                self.meta.codec_config(id)?;
                self.meta.spatial_extents(id)
            }
        }
    }

    /// Returns the size of an image after its transforms.
    fn displayed_size(&mut self, id: u32, depth: u32) -> boxes::Result<(u32, u32)> {
        check_depth(depth)?;
        let stored = self.stored_size(id, depth)?;
        Ok(self.meta.transforms(id, stored)?.1)
    }

    fn only_source(&self, id: u32) -> boxes::Result<u32> {
        match self.meta.sources(id) {
            [source] => Ok(*source),
            _ => invalid("an identity item needs exactly one source"),
        }
    }

    fn has_alpha(&self, id: u32, depth: u32) -> bool {
        let first_source = || self.meta.sources(id).first().copied();
        self.meta.alpha(id).is_some()
            || depth < MAX_DEPTH
                && first_source().is_some_and(|source| self.has_alpha(source, depth + 1))
    }

    /// Returns the first coded image, and whether it is the only one.
    fn first_coded(&mut self, id: u32, depth: u32) -> boxes::Result<(u32, bool)> {
        check_depth(depth)?;
        match self.meta.sources(id) {
            [] => Ok((id, true)),
            [first, more @ ..] => {
                let (coded, is_only) = self.first_coded(*first, depth + 1)?;
                Ok((coded, is_only && more.is_empty()))
            }
        }
    }
}

fn check_depth(depth: u32) -> boxes::Result<()> {
    if depth > MAX_DEPTH {
        return invalid("derived images are nested too deeply");
    }
    Ok(())
}

/// Decodes items and draws them on the canvas.
struct Painter<'a> {
    meta: &'a Meta,
    input: Input,
    limits: &'a ImageLimits,
    deadline: Deadline,
    canvas: Canvas,
    /// The color information of the first stream.
    stream_nclx: Option<Nclx>,
}

impl Painter<'_> {
    fn draw_primary(&mut self) -> boxes::Result<()> {
        let placement = Placement::of_canvas(self.canvas.size);
        self.draw_item(self.meta.primary, Channel::Color, None, &placement, 0)?;
        if self.canvas.channels == 4 && self.meta.is_premultiplied() {
            self.canvas.unmultiply();
        }
        Ok(())
    }

    fn items(&mut self) -> Items<'_, Input> {
        Items { meta: self.meta, input: &mut self.input }
    }

    /// Draws an item with its transforms and its alpha image.
    fn draw_item(
        &mut self,
        id: u32,
        channel: Channel,
        nclx: Option<Nclx>,
        placement: &Placement,
        depth: u32,
    ) -> boxes::Result<()> {
        check_depth(depth)?;
        let meta = self.meta;
        let size = self.items().stored_size(id, depth)?;
        let (transforms, _) = meta.transforms(id, size)?;
        let inner = placement.before(&transforms);
        self.draw_stored(id, channel, nclx, (size, &inner), depth)?;
        let Some(alpha) = meta.alpha(id).filter(|_| channel == Channel::Color) else {
            return Ok(());
        };
        // Some writers repeat the transforms of the image on its alpha image, others leave them out.
        let alpha_size = self.items().stored_size(alpha, depth)?;
        let (own, _) = meta.transforms(alpha, alpha_size)?;
        let has_transforms = !own.is_empty();
        let placement =
            if has_transforms { placement.before(&meta.transforms(alpha, size)?.0) } else { inner };
        self.draw_stored(alpha, Channel::Alpha, None, (size, &placement), depth)
    }

    /// Draws an item of this size without its transforms.
    fn draw_stored(
        &mut self,
        id: u32,
        channel: Channel,
        nclx: Option<Nclx>,
        (size, placement): ((u32, u32), &Placement),
        depth: u32,
    ) -> boxes::Result<()> {
        let meta = self.meta;
        let nclx = nclx.or(meta.nclx(id));
        match meta.item_type(id) {
            Some(item_type) if item_type == *b"grid" => {
                self.draw_grid(id, channel, nclx, placement, depth)
            }
            Some(item_type) if item_type == *b"iden" => {
                let source = self.items().only_source(id)?;
                self.draw_item(source, channel, nclx, placement, depth + 1)
            }
            _ => {
                let planes = self.decode_item(id)?;
                if channel == Channel::Color && self.stream_nclx.is_none() {
                    self.stream_nclx = Some(planes.nclx());
                }
                if self.canvas.pixels.is_empty() {
                    let (width, height) = self.canvas.size;
                    let bytes = u64::from(width) * u64::from(height) * self.canvas.channels as u64;
                    if bytes.saturating_add(planes.memory()) > self.limits.max_memory {
                        return invalid("the image exceeds the memory limit");
                    }
                    self.canvas.allocate();
                }
                self.canvas.draw(&*planes, channel, size, nclx, placement)
            }
        }
    }

    fn draw_grid(
        &mut self,
        id: u32,
        channel: Channel,
        nclx: Option<Nclx>,
        placement: &Placement,
        depth: u32,
    ) -> boxes::Result<()> {
        let meta = self.meta;
        let (rows, columns, size) = self.items().grid(id)?;
        let grid = placement.tile_at(0, 0, size);
        let tiles = meta.sources(id);
        if tiles.len() as u64 != u64::from(rows) * u64::from(columns) {
            return invalid("the number of tiles is not that of the grid");
        }
        let tile_size = self.items().displayed_size(tiles[0], depth + 1)?;
        let covers =
            |tile: u32, count: u32, all: u32| u64::from(tile) * u64::from(count) >= u64::from(all);
        if !covers(tile_size.0, columns, size.0) || !covers(tile_size.1, rows, size.1) {
            return invalid("the tiles do not cover the grid");
        }
        let positions = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        for (id, (column, row)) in tiles.iter().zip(positions) {
            let (x, y) = (column.saturating_mul(tile_size.0), row.saturating_mul(tile_size.1));
            let placement = grid.tile_at(x, y, tile_size);
            if !placement.is_empty() {
                self.draw_item(*id, channel, nclx, &placement, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Decodes one coded image, within the memory that is left.
    fn decode_item(&mut self, id: u32) -> boxes::Result<Box<dyn Planes>> {
        if self.deadline.has_passed() {
            return invalid("the deadline has passed");
        }
        let (codec, config) = self.meta.codec_config(id)?;
        let allocated = self.canvas.pixels.len() as u64;
        let left = self.limits.max_memory.saturating_sub(allocated);
        let data = self.meta.item_data(&mut self.input, id, left)?;
        // The data is held twice: as in the file, and as the decoder takes it.
        let left = left.saturating_sub(2 * data.len() as u64);
        let max_pixels = left / codec.bytes_per_pixel(config);
        match codec {
            #[cfg(feature = "heic")]
            Codec::Hevc => hevc::decode(config, data, max_pixels),
            #[cfg(feature = "avif")]
            Codec::Av1 => av1::decode(data, max_pixels),
        }
    }
}
