//! The container of HEIC and AVIF (ISO/IEC 23008-12): the `meta` box with its items and properties.
//!
//! Only the `meta` box is read into memory; the coded data of each item is read when it is decoded.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    io::{BufRead, Read, Seek, SeekFrom},
};

use crate::image::format::MAX_EXIF;

pub(super) type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// Bounds the `meta` box, in bytes. That of the largest photographs takes 100 KB, with the ICC profile.
const MAX_META: u64 = 4 << 20;
/// Bounds the boxes at the top level of a file. Photographs have fewer than ten.
const MAX_BOXES: usize = 1_000;
/// Bounds the extents of all items together.
const MAX_EXTENTS: usize = 100_000;
/// Bounds the nesting of derived images.
pub(super) const MAX_DEPTH: u32 = 6;

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

#[derive(Debug, Default)]
struct Item {
    kind: [u8; 4],
    /// Whether the data is in the `idat` box instead of the file.
    is_in_idat: bool,
    /// Offset and length of each extent.
    extents: Vec<(u64, u64)>,
    /// 1-based indices into the properties.
    properties: Vec<u16>,
}

/// The content of the `meta` box.
#[derive(Debug, Default)]
pub(super) struct Meta {
    pub(super) primary: u32,
    items: BTreeMap<u32, Item>,
    properties: Vec<([u8; 4], Vec<u8>)>,
    /// The source images of each derived image, in order (`dimg`).
    sources: HashMap<u32, Vec<u32>>,
    /// The alpha image of each image (`auxl`).
    alphas: HashMap<u32, u32>,
    premultiplied: Vec<u32>,
    /// Pairs of an image and its EXIF item (`cdsc`).
    exif: Vec<(u32, u32)>,
    idat: Vec<u8>,
}

pub(super) fn invalid<T>(what: &'static str) -> Result<T> {
    Err(what.into())
}

/// Reads the fields of a box.
struct BoxReader<'a>(&'a [u8]);

impl<'a> BoxReader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let Some((taken, left)) = self.0.split_at_checked(bytes) else {
            return invalid("a box is shorter than its fields");
        };
        self.0 = left;
        Ok(taken)
    }

    /// Reads a big-endian number of up to eight bytes.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.number(1)? as u8)
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(self.number(2)? as u16)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(self.number(4)? as u32)
    }

    fn four_cc(&mut self) -> Result<[u8; 4]> {
        Ok(self.u32()?.to_be_bytes())
    }

    /// Reads the version and flags of a full box.
    fn version(&mut self) -> Result<(u8, u32)> {
        let both = self.u32()?;
        Ok(((both >> 24) as u8, both & 0xFF_FFFF))
    }

    /// Reads the next child box.
    fn next_box(&mut self) -> Result<Option<([u8; 4], BoxReader<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (size, kind) = (self.u32()?, self.four_cc()?);
        let content = match size {
            0 => self.0.len(),
            1 => usize::try_from(self.number(8)?)?.checked_sub(16).ok_or("a box without a size")?,
            _ => (size as usize).checked_sub(8).ok_or("a box without a size")?,
        };
        Ok(Some((kind, Self(self.take(content)?))))
    }
}

impl Meta {
    /// Reads the first `meta` box of the file.
    pub(super) fn read(input: &mut (impl BufRead + Seek)) -> Result<Self> {
        for _ in 0..MAX_BOXES {
            let mut head = [0; 8];
            input.read_exact(&mut head)?;
            let mut head = BoxReader(&head);
            let (size, kind) = (u64::from(head.u32()?), head.four_cc()?);
            let content = match size {
                0 => u64::MAX,
                1 => {
                    let mut large = [0; 8];
                    input.read_exact(&mut large)?;
                    u64::from_be_bytes(large).checked_sub(16).ok_or("a box without a size")?
                }
                _ => size.checked_sub(8).ok_or("a box without a size")?,
            };
            if kind != *b"meta" {
                input.seek_relative(i64::try_from(content)?)?;
                continue;
            }
            let mut meta = Vec::new();
            input.take(content.min(MAX_META + 1)).read_to_end(&mut meta)?;
            if meta.len() as u64 > MAX_META {
                return invalid("the meta box is too large");
            }
            if content != u64::MAX && meta.len() as u64 != content {
                return invalid("the file ends within the meta box");
            }
            return Self::parse(&meta);
        }
        invalid("the meta box is missing")
    }

    fn parse(content: &[u8]) -> Result<Self> {
        let mut meta = Self::default();
        let mut references = Vec::new();
        let mut boxes = BoxReader(content);
        boxes.version()?;
        while let Some((kind, mut content)) = boxes.next_box()? {
            match &kind {
                b"pitm" => {
                    let (version, _) = content.version()?;
                    meta.primary = content.number(if version == 0 { 2 } else { 4 })? as u32;
                }
                b"iinf" => meta.parse_iinf(content)?,
                b"iloc" => meta.parse_iloc(content)?,
                b"iprp" => {
                    while let Some((kind, content)) = content.next_box()? {
                        match &kind {
                            b"ipco" => meta.parse_ipco(content)?,
                            b"ipma" => meta.parse_ipma(content)?,
                            _ => {}
                        }
                    }
                }
                b"iref" => references = parse_iref(content)?,
                b"idat" => meta.idat = content.0.to_vec(),
                _ => {}
            }
        }
        for (kind, from, to) in references {
            match (&kind, to.first()) {
                (b"dimg", _) => _ = meta.sources.insert(from, to),
                (b"auxl", _) if meta.is_alpha(from) => {
                    meta.alphas.extend(to.into_iter().map(|to| (to, from)));
                }
                (b"prem", _) => meta.premultiplied.push(from),
                (b"cdsc", Some(_)) if meta.item_type(from) == Some(*b"Exif") => {
                    meta.exif.extend(to.into_iter().map(|to| (to, from)));
                }
                _ => {}
            }
        }
        if meta.item_type(meta.primary).is_none() {
            return invalid("the primary item is missing");
        }
        Ok(meta)
    }

    fn parse_iinf(&mut self, mut content: BoxReader<'_>) -> Result<()> {
        let (version, _) = content.version()?;
        content.number(if version == 0 { 2 } else { 4 })?;
        while let Some((kind, mut content)) = content.next_box()? {
            if kind != *b"infe" {
                continue;
            }
            let (version, _) = content.version()?;
            if version < 2 {
                continue;
            }
            let id = content.number(if version == 2 { 2 } else { 4 })? as u32;
            content.u16()?;
            self.items.entry(id).or_default().kind = content.four_cc()?;
        }
        Ok(())
    }

    fn parse_iloc(&mut self, mut content: BoxReader<'_>) -> Result<()> {
        let (version, _) = content.version()?;
        let sizes = content.u16()?;
        let [offset, length, base, index] =
            [12, 8, 4, 0].map(|shift| usize::from(sizes >> shift & 15));
        if version > 2 || [offset, length, base, index].iter().any(|size| *size > 8) {
            return invalid("unsupported version of the iloc box");
        }
        let id_bytes = if version < 2 { 2 } else { 4 };
        let mut extents = 0;
        for _ in 0..content.number(id_bytes)? {
            let id = content.number(id_bytes)? as u32;
            let method = if version == 0 { 0 } else { content.u16()? & 15 };
            content.u16()?;
            let base = content.number(base)?;
            let item = self.items.entry(id).or_default();
            item.is_in_idat = method == 1;
            item.extents.clear();
            for _ in 0..content.u16()? {
                if version > 0 {
                    content.number(index)?;
                }
                let start =
                    content.number(offset)?.checked_add(base).ok_or("an item offset overflows")?;
                let length = content.number(length)?;
                // Method 2, an offset into another item, is not supported: the item has no data then.
                if method < 2 {
                    item.extents.push((start, length));
                }
                extents += 1;
                if extents > MAX_EXTENTS {
                    return invalid("too many extents");
                }
            }
        }
        Ok(())
    }

    fn parse_ipco(&mut self, mut content: BoxReader<'_>) -> Result<()> {
        while let Some((kind, content)) = content.next_box()? {
            self.properties.push((kind, content.0.to_vec()));
        }
        Ok(())
    }

    fn parse_ipma(&mut self, mut content: BoxReader<'_>) -> Result<()> {
        let (version, flags) = content.version()?;
        for _ in 0..content.u32()? {
            let id = content.number(if version == 0 { 2 } else { 4 })? as u32;
            let mut properties = Vec::new();
            for _ in 0..content.u8()? {
                properties.push(match flags & 1 {
                    1 => content.u16()? & 0x7FFF,
                    _ => u16::from(content.u8()? & 0x7F),
                });
            }
            self.items.entry(id).or_default().properties.extend(properties);
        }
        Ok(())
    }

    pub(super) fn item_type(&self, id: u32) -> Option<[u8; 4]> {
        self.items.get(&id).map(|item| item.kind).filter(|kind| *kind != [0; 4])
    }

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

    fn is_alpha(&self, id: u32) -> bool {
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

    /// Reads the data of an item, of at most `max` bytes.
    pub(super) fn item_data(
        &self,
        input: &mut (impl BufRead + Seek),
        id: u32,
        max: u64,
    ) -> Result<Vec<u8>> {
        let item = self.items.get(&id).ok_or("an item is missing")?;
        let mut data = Vec::new();
        for (start, length) in &item.extents {
            if length.saturating_add(data.len() as u64) > max {
                return invalid("the coded data exceeds the memory limit");
            }
            let before = data.len() as u64;
            if item.is_in_idat {
                let end = start.checked_add(*length).ok_or("an item offset overflows")?;
                let within = self.idat.get(usize::try_from(*start)?..usize::try_from(end)?);
                data.extend_from_slice(within.ok_or("the idat box is shorter than an item")?);
            } else {
                input.seek(SeekFrom::Start(*start))?;
                // Length 0 means up to the end of the file.
                let length_or_rest = if *length == 0 { max } else { *length };
                input.by_ref().take(length_or_rest).read_to_end(&mut data)?;
            }
            if *length > 0 && data.len() as u64 - before != *length {
                return invalid("the file ends within an item");
            }
        }
        if data.is_empty() { invalid("an item has no data") } else { Ok(data) }
    }

    /// Reads the EXIF data of the primary image, from its TIFF header on.
    pub(super) fn exif(&self, input: &mut (impl BufRead + Seek)) -> Result<Option<Vec<u8>>> {
        let described = self.exif.iter().find(|(of, _)| *of == self.primary).map(|(_, id)| *id);
        let any = || self.items.iter().find(|(_, item)| item.kind == *b"Exif").map(|(id, _)| *id);
        let Some(id) = described.or_else(any) else { return Ok(None) };
        let data = self.item_data(input, id, MAX_EXIF)?;
        let skipped = BoxReader(&data).u32()? as usize;
        Ok(data.get(4 + skipped..).map(<[u8]>::to_vec))
    }
}

/// The type, the referring item and the items referred to.
type Reference = ([u8; 4], u32, Vec<u32>);

fn parse_iref(mut content: BoxReader<'_>) -> Result<Vec<Reference>> {
    let (version, _) = content.version()?;
    let id_bytes = if version == 0 { 2 } else { 4 };
    let mut references = Vec::new();
    while let Some((kind, mut content)) = content.next_box()? {
        let from = content.number(id_bytes)? as u32;
        let count = content.u16()?;
        let to = (0..count).map(|_| Ok(content.number(id_bytes)? as u32)).collect::<Result<_>>()?;
        references.push((kind, from, to));
    }
    Ok(references)
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
        (twice / 2).clamp(0, i64::from(whole - part))
    };
    let (left, top) =
        (start(width, cropped_width, x_offset), start(height, cropped_height, y_offset));
    Ok(ItemTransform::Crop { left, top, width: cropped_width, height: cropped_height })
}

/// Parses an image grid: its rows, its columns and the size of the whole.
pub(super) fn parse_grid(data: &[u8]) -> Result<(u32, u32, (u32, u32))> {
    let mut data = BoxReader(data);
    data.u8()?;
    let size_bytes = if data.u8()? & 1 == 0 { 2 } else { 4 };
    let (rows, columns) = (u32::from(data.u8()?) + 1, u32::from(data.u8()?) + 1);
    Ok((rows, columns, (data.number(size_bytes)? as u32, data.number(size_bytes)? as u32)))
}
