//! PNG: header reading, and decoding row by row.
//!
//! Damaged ancillary chunks are left out, and a truncated or damaged image shows the rows before the damage
//! (promise P18). Text chunks are skipped, and the profile of an `iCCP` chunk is inflated up to a limit only
//! (promise P19).

mod chunks;
mod color_space;
mod decode;

pub(super) use self::decode::{decode, read_header};
