//! HEIC and AVIF: one container, with a codec each.

#[cfg(feature = "avif")]
mod av1;
mod decode;
#[cfg(feature = "heic")]
mod hevc;

pub(super) use self::decode::{Codec, decode, shape};
