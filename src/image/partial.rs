//! Images of a truncated or damaged file: the part that has to be decoded, and the display of the rest
//! (promise P18).

use std::io;

use super::input::invalid;

/// A damaged file counts as an image if at least one row in four is decoded. Of an interlaced or progressive
/// image, one row in four of its first pass or scan is enough, because it shows the image at low detail.
const MIN_DECODED_PART: usize = 4;

/// The value of missing opaque samples: the gray with which libjpeg fills missing rows.
const MISSING_SAMPLE: u8 = 128;

/// Fails if fewer than one row in four is decoded.
pub(super) fn check_rows(decoded: usize, rows: usize) -> io::Result<()> {
    if decoded.saturating_mul(MIN_DECODED_PART) < rows {
        return Err(invalid("the file is truncated or damaged near its beginning"));
    }
    Ok(())
}

/// Fills missing pixels: transparent if they have alpha, else gray.
pub(super) fn fill_missing(pixels: &mut [u8], has_alpha: bool) {
    pixels.fill(if has_alpha { 0 } else { MISSING_SAMPLE });
}
