//! The properties of items: sizes, transforms, color information, references.

use super::{
    boxes::{BoxReader, Result, invalid},
    meta::Meta,
};

/// A transformative property: `irot`, `imir` or `clap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemTransform {
    /// Quarter turns counter-clockwise, 1 to 3.
    Rotate(u8),
    /// Exchanges top and bottom.
    FlipVertical,
    /// Exchanges left and right.
    FlipHorizontal,
    Crop {
        left: i64,
        top: i64,
        width: u32,
        height: u32,
    },
}

/// Width and height in pixels.
pub(super) type Size = (u32, u32);

/// Color information as code points of ITU-T H.273, from a `colr` box of type `nclx` or from the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nclx {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    pub(super) is_full_range: bool,
}

impl Meta {
    fn item_properties(&self, id: u32) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
        let numbers = self.items.get(&id).map_or(&[][..], |item| &item.properties);
        numbers.iter().filter_map(|number| {
            let (kind, content) = self.properties.get(usize::from(*number).checked_sub(1)?)?;
            Some((kind, content.as_slice()))
        })
    }

    pub(super) fn property(&self, id: u32, kind: &[u8; 4]) -> Option<&[u8]> {
        self.item_properties(id).find(|(found, _)| *found == kind).map(|(_, content)| content)
    }

    pub(super) fn is_alpha(&self, id: u32) -> bool {
        let kind = self.property(id, b"auxC").and_then(|content| content.get(4..));
        let kind = kind.and_then(|kind| kind.split(|byte| *byte == 0).next());
        [&b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"[..], b"urn:mpeg:hevc:2015:auxid:1"]
            .iter()
            .any(|alpha| kind == Some(alpha))
    }

    pub(super) fn alpha(&self, id: u32) -> Option<u32> {
        self.alphas.get(&id).copied()
    }

    /// Returns whether the colors of the primary image are premultiplied by its alpha.
    pub(super) fn is_premultiplied(&self) -> bool {
        self.premultiplied.contains(&self.primary)
    }

    pub(super) fn sources(&self, id: u32) -> &[u32] {
        self.sources.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn nclx(&self, id: u32) -> Option<Nclx> {
        let mut colr = self.item_properties(id).filter(|(kind, _)| *kind == b"colr");
        colr.find_map(|(_, content)| {
            let mut content = BoxReader(content.strip_prefix(b"nclx")?);
            Some(Nclx {
                primaries: content.u16().ok()?,
                transfer: content.u16().ok()?,
                matrix: content.u16().ok()?,
                is_full_range: content.u8().ok()? & 0x80 != 0,
            })
        })
    }

    pub(super) fn icc_profile(&self, id: u32) -> Option<&[u8]> {
        let mut colr = self.item_properties(id).filter(|(kind, _)| *kind == b"colr");
        colr.find_map(|(_, content)| {
            content.strip_prefix(b"prof").or_else(|| content.strip_prefix(b"rICC"))
        })
    }

    /// Returns the size of a coded image (`ispe`).
    pub(super) fn spatial_extents(&self, id: u32) -> Result<(u32, u32)> {
        let mut content =
            BoxReader(self.property(id, b"ispe").ok_or("the ispe property is missing")?);
        content.version()?;
        Ok((content.u32()?, content.u32()?))
    }

    /// Returns the transforms of an image of this size in order, each with the size before it, and the
    /// final size.
    pub(super) fn transforms(
        &self,
        id: u32,
        mut size: (u32, u32),
    ) -> Result<(Vec<(ItemTransform, Size)>, Size)> {
        let mut all = Vec::new();
        for (kind, content) in self.item_properties(id) {
            let transform = match kind {
                b"irot" => match BoxReader(content).u8()? & 3 {
                    0 => continue,
                    quarters => ItemTransform::Rotate(quarters),
                },
                // As in ISO/IEC 23008-12:2022. Earlier editions have the axes exchanged; no writer does.
                b"imir" if BoxReader(content).u8()? & 1 == 0 => ItemTransform::FlipVertical,
                b"imir" => ItemTransform::FlipHorizontal,
                b"clap" => parse_clap(BoxReader(content), size)?,
                _ => continue,
            };
            all.push((transform, size));
            size = match transform {
                ItemTransform::Rotate(1 | 3) => (size.1, size.0),
                ItemTransform::Crop { width, height, .. } => (width, height),
                _ => size,
            };
        }
        Ok((all, size))
    }
}

/// Parses a clean aperture (`clap`): its size, and the offset of its centre from the image's.
fn parse_clap(mut content: BoxReader<'_>, (width, height): (u32, u32)) -> Result<ItemTransform> {
    let mut fraction = || -> Result<(i64, i64)> {
        let (numerator, denominator) = (content.u32()? as i32, content.u32()? as i32);
        if denominator == 0 {
            return invalid("a fraction of the clap property divides by zero");
        }
        Ok((numerator.into(), denominator.into()))
    };
    let [width_part, height_part, x_offset, y_offset] =
        [fraction()?, fraction()?, fraction()?, fraction()?];
    let side = |part: (i64, i64), whole: u32| {
        u32::try_from(part.0 / part.1).unwrap_or(0).clamp(1, whole.max(1))
    };
    let (cropped_width, cropped_height) = (side(width_part, width), side(height_part, height));
    let start = |whole: u32, part: u32, off: (i64, i64)| {
        let twice = i64::from(whole) - i64::from(part) + 2 * off.0 / off.1;
        (twice / 2).clamp(0, i64::from(whole.saturating_sub(part)))
    };
    let (left, top) =
        (start(width, cropped_width, x_offset), start(height, cropped_height, y_offset));
    Ok(ItemTransform::Crop { left, top, width: cropped_width, height: cropped_height })
}
