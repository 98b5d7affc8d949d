//! WebP: the first image of the RIFF container, without damaged metadata, and its decoding.
//!
//! A truncated image shows the rows before the end of the file (promise P18).

mod decode;
mod riff;

pub(super) use self::decode::{decode, read_header};
