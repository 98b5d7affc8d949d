//! The structure of derived images: grids, identities, and the coded images that they consist of.

use std::io::{BufRead, Seek};

use super::{
    boxes::{Result, invalid},
    item_data::parse_grid,
    meta::Meta,
};

/// Bounds the nesting of derived images.
pub(super) const MAX_DEPTH: u32 = 6;

/// The items of a file, with the file for their data.
pub(super) struct Items<'a, I> {
    pub(super) meta: &'a Meta,
    pub(super) input: &'a mut I,
}

impl<I: BufRead + Seek> Items<'_, I> {
    pub(super) fn grid(&mut self, id: u32) -> Result<(u32, u32, (u32, u32))> {
        const MAX_GRID_BYTES: u64 = 64;
        parse_grid(&self.meta.item_data(self.input, id, MAX_GRID_BYTES)?)
    }

    /// Returns the size of an image before its transforms.
    pub(super) fn stored_size(&mut self, id: u32, depth: u32) -> Result<(u32, u32)> {
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
    pub(super) fn displayed_size(&mut self, id: u32, depth: u32) -> Result<(u32, u32)> {
        check_depth(depth)?;
        let stored = self.stored_size(id, depth)?;
        Ok(self.meta.transforms(id, stored)?.1)
    }

    pub(super) fn only_source(&self, id: u32) -> Result<u32> {
        match self.meta.sources(id) {
            [source] => Ok(*source),
            _ => invalid("an identity item needs exactly one source"),
        }
    }

    pub(super) fn has_alpha(&self, id: u32, depth: u32) -> bool {
        let first_source = || self.meta.sources(id).first().copied();
        self.meta.alpha(id).is_some()
            || depth < MAX_DEPTH
                && first_source().is_some_and(|source| self.has_alpha(source, depth + 1))
    }

    /// Returns the first coded image, and whether it is the only one.
    pub(super) fn first_coded(&mut self, id: u32, depth: u32) -> Result<(u32, bool)> {
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

pub(super) fn check_depth(depth: u32) -> Result<()> {
    if depth > MAX_DEPTH {
        return invalid("derived images are nested too deeply");
    }
    Ok(())
}
