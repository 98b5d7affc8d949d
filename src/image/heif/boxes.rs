//! The fields of boxes (ISO/IEC 14496-12).

use std::error::Error;

pub(super) type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

pub(super) fn invalid<T>(what: &'static str) -> Result<T> {
    Err(what.into())
}

/// Reads the fields of a box.
pub(super) struct BoxReader<'a>(pub(super) &'a [u8]);

impl<'a> BoxReader<'a> {
    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let Some((taken, left)) = self.0.split_at_checked(bytes) else {
            return invalid("a box is shorter than its fields");
        };
        self.0 = left;
        Ok(taken)
    }

    /// Reads a big-endian number of up to eight bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.number(1)? as u8)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn four_cc(&mut self) -> Result<[u8; 4]> {
        Ok(self.u32()?.to_be_bytes())
    }

    /// Reads the version and flags of a full box.
    pub(super) fn version(&mut self) -> Result<(u8, u32)> {
        let both = self.u32()?;
        Ok(((both >> 24) as u8, both & 0xFF_FFFF))
    }

    /// Reads the next child box.
    pub(super) fn next_box(&mut self) -> Result<Option<([u8; 4], BoxReader<'a>)>> {
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
