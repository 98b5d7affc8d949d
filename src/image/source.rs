//! The bytes of a source image, and a finished rendition.

use std::path::PathBuf;

use bytes::Bytes;

/// The bytes of an image.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "images"), allow(dead_code, reason = "only a decoder reads them"))]
pub(crate) enum ImageSource {
    Bytes(Bytes),
    #[cfg_attr(not(feature = "store"), allow(dead_code, reason = "only the store has files"))]
    File(PathBuf),
}

/// A finished rendition. It holds nothing of the original's bytes (promises P5 and P6).
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) bytes: Bytes,
    pub(crate) mime_type: &'static str,
    #[cfg_attr(not(feature = "store"), allow(dead_code, reason = "only the store keeps it"))]
    pub(crate) width: u32,
    #[cfg_attr(not(feature = "store"), allow(dead_code, reason = "only the store keeps it"))]
    pub(crate) height: u32,
}
