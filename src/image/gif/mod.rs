//! GIF: the first frame, on a canvas that is as large as a browser's.
//!
//! Damaged and unknown extensions are skipped, and a truncated or damaged image shows the rows before the
//! damage (promise P18).

mod blocks;
mod decode;

pub(super) use self::decode::{decode, read_header};
