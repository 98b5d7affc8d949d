//! HEIC and AVIF: one container with a codec each.

#[cfg(feature = "avif")]
mod av1;
mod boxes;
mod decode;
#[cfg(feature = "heic")]
mod hevc;
mod paint;

pub(super) use self::decode::{decode, read_header};
