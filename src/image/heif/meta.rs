//! The `meta` box of HEIC and AVIF (ISO/IEC 23008-12), with its items and properties.
//!
//! Only this box is read into memory; the coded data of each item is read when it is decoded.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, Read, Seek},
};

use super::boxes::{BoxReader, Result, invalid};

/// Bounds the `meta` box, in bytes. That of the largest photographs takes 100 KB, with the ICC profile.
const MAX_META: u64 = 4 << 20;
/// Bounds the boxes at the top level of a file. Photographs have fewer than ten.
const MAX_BOXES: usize = 1_000;
/// Bounds the extents of all items together.
const MAX_EXTENTS: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) kind: [u8; 4],
    /// True if the data is in the `idat` box instead of the file.
    pub(super) is_in_idat: bool,
    /// Offset and length of each extent.
    pub(super) extents: Vec<(u64, u64)>,
    /// 1-based indices into the properties.
    pub(super) properties: Vec<u16>,
}

/// The content of the `meta` box.
#[derive(Debug, Default)]
pub(super) struct Meta {
    pub(super) primary: u32,
    pub(super) items: BTreeMap<u32, Item>,
    pub(super) properties: Vec<([u8; 4], Vec<u8>)>,
    /// The source images of each derived image, in order (`dimg`).
    pub(super) sources: HashMap<u32, Vec<u32>>,
    /// The alpha image of each image (`auxl`).
    pub(super) alphas: HashMap<u32, u32>,
    pub(super) premultiplied: Vec<u32>,
    /// Pairs of an image and its EXIF item (`cdsc`).
    pub(super) exif: Vec<(u32, u32)>,
    pub(super) idat: Vec<u8>,
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
