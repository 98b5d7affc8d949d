//! HEIC and AVIF: one container with a codec each.

#[cfg(feature = "avif")]
mod av1;
mod boxes;
mod canvas;
mod codec;
mod decode;
#[cfg(feature = "heic")]
mod hevc;
mod item_data;
mod items;
mod meta;
mod painter;
mod placement;
mod planes;
mod properties;

pub(super) use self::decode::{decode, read_header};
