//! Decodes items one at a time and draws them on the canvas.

use super::{
    boxes::{Result, invalid},
    canvas::Canvas,
    items::{Items, check_depth},
    meta::Meta,
    placement::Placement,
    planes::{Channel, Planes},
    properties::Nclx,
};
use crate::image::{deadline::Deadline, input::Input, limits::ImageLimits};

/// Decodes items and draws them on the canvas.
pub(super) struct Painter<'a> {
    pub(super) meta: &'a Meta,
    pub(super) input: Input,
    pub(super) limits: &'a ImageLimits,
    pub(super) deadline: Deadline,
    pub(super) canvas: Canvas,
    /// The color information of the first stream.
    pub(super) stream_nclx: Option<Nclx>,
}

/// The part of the canvas on which an item is drawn, and its channel and color information.
#[derive(Debug, Clone, Copy)]
struct Target {
    channel: Channel,
    /// The color information of an image that the item is part of.
    nclx: Option<Nclx>,
    placement: Placement,
    /// The number of derived images that the item is part of.
    depth: u32,
}

impl Target {
    fn at(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// Returns the target of a source of this image.
    fn source(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl Painter<'_> {
    pub(super) fn draw_primary(&mut self) -> Result<()> {
        let placement = Placement::of_canvas(self.canvas.size);
        let target = Target { channel: Channel::Color, nclx: None, placement, depth: 0 };
        self.draw_item(self.meta.primary, target)?;
        if self.canvas.channels == 4 && self.meta.is_premultiplied() {
            self.canvas.unmultiply();
        }
        Ok(())
    }

    fn items(&mut self) -> Items<'_, Input> {
        Items { meta: self.meta, input: &mut self.input }
    }

    /// Draws an item with its transforms and its alpha image.
    fn draw_item(&mut self, id: u32, target: Target) -> Result<()> {
        check_depth(target.depth)?;
        let meta = self.meta;
        let size = self.items().stored_size(id, target.depth)?;
        let (transforms, _) = meta.transforms(id, size)?;
        let inner = target.placement.before(&transforms);
        self.draw_stored(id, size, target.at(inner))?;
        let Some(alpha) = meta.alpha(id).filter(|_| target.channel == Channel::Color) else {
            return Ok(());
        };
        // Some writers repeat the transforms of the image on its alpha image, others leave them out.
        let alpha_size = self.items().stored_size(alpha, target.depth)?;
        let (own, _) = meta.transforms(alpha, alpha_size)?;
        let placement = if own.is_empty() {
            inner
        } else {
            target.placement.before(&meta.transforms(alpha, size)?.0)
        };
        let target = Target { channel: Channel::Alpha, nclx: None, placement, ..target };
        self.draw_stored(alpha, size, target)
    }

    /// Draws an item of this size without its transforms.
    fn draw_stored(&mut self, id: u32, size: (u32, u32), target: Target) -> Result<()> {
        let target = Target { nclx: target.nclx.or(self.meta.nclx(id)), ..target };
        match self.meta.item_type(id) {
            Some(item_type) if item_type == *b"grid" => self.draw_grid(id, target),
            Some(item_type) if item_type == *b"iden" => {
                let source = self.items().only_source(id)?;
                self.draw_item(source, target.source())
            }
            _ => self.draw_coded(id, size, target),
        }
    }

    fn draw_grid(&mut self, id: u32, target: Target) -> Result<()> {
        let meta = self.meta;
        let (rows, columns, size) = self.items().grid(id)?;
        let grid = target.placement.tile_at(0, 0, size);
        let tiles = meta.sources(id);
        if tiles.len() as u64 != u64::from(rows) * u64::from(columns) {
            return invalid("the number of tiles is not that of the grid");
        }
        let tile_size = self.items().displayed_size(tiles[0], target.depth + 1)?;
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
                self.draw_item(*id, target.at(placement).source())?;
            }
        }
        Ok(())
    }

    fn draw_coded(&mut self, id: u32, size: (u32, u32), target: Target) -> Result<()> {
        let planes = self.decode_item(id)?;
        if target.channel == Channel::Color && self.stream_nclx.is_none() {
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
        self.canvas.draw(&*planes, target.channel, size, target.nclx, &target.placement)
    }

    /// Decodes one coded image, within the memory that is left.
    fn decode_item(&mut self, id: u32) -> Result<Box<dyn Planes>> {
        if self.deadline.has_passed() {
            return invalid("the deadline has passed");
        }
        let (codec, config) = self.meta.codec_config(id)?;
        let allocated = self.canvas.pixels.len() as u64;
        let left = self.limits.max_memory.saturating_sub(allocated);
        let data = self.meta.item_data(&mut self.input, id, left)?;
        // The data is held twice: as in the file, and as the decoder takes it.
        let left = left.saturating_sub(2 * data.len() as u64);
        codec.decode(config, data, left)
    }
}
