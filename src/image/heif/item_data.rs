//! The data of items: coded images, grids, EXIF.

use std::io::{BufRead, Read, Seek, SeekFrom};

use super::{
    boxes::{BoxReader, Result, invalid},
    meta::Meta,
};
use crate::image::format::MAX_EXIF;

impl Meta {
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
                let length_or_rest = if *length == 0 { max - before } else { *length };
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
        Ok(data.get(skipped.saturating_add(4)..).map(<[u8]>::to_vec))
    }
}

/// Parses an image grid: its rows, its columns and the size of the whole.
pub(super) fn parse_grid(data: &[u8]) -> Result<(u32, u32, (u32, u32))> {
    let mut data = BoxReader(data);
    data.u8()?;
    let size_bytes = if data.u8()? & 1 == 0 { 2 } else { 4 };
    let (rows, columns) = (u32::from(data.u8()?) + 1, u32::from(data.u8()?) + 1);
    Ok((rows, columns, (data.number(size_bytes)? as u32, data.number(size_bytes)? as u32)))
}
