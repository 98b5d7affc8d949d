//! The formats that can be decoded, and the header that the reader of each format returns.

use std::io::BufRead as _;

use image::metadata::Orientation;

use super::input::{self, Input};
use crate::{error::Result, media::sniff};

/// A format of which renditions can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    /// HEIC or AVIF; the item types in the container name the codec.
    #[cfg(any(feature = "heic", feature = "avif"))]
    Heif,
    #[cfg(feature = "tiff")]
    Tiff,
}

impl Format {
    /// Returns the format that the magic bytes show (promise P4), or `None` if it cannot be decoded.
    pub(super) fn sniff(input: &mut Input) -> Result<Option<Self>> {
        let deadline = input::deadline(input);
        let head = input.fill_buf().map_err(|error| input::failed(deadline, error))?;
        Ok(match sniff(head) {
            Some("image/jpeg") => Some(Self::Jpeg),
            Some("image/png") => Some(Self::Png),
            Some("image/gif") => Some(Self::Gif),
            Some("image/webp") => Some(Self::WebP),
            #[cfg(feature = "heic")]
            Some("image/heif") => Some(Self::Heif),
            #[cfg(feature = "avif")]
            Some("image/avif") => Some(Self::Heif),
            #[cfg(feature = "tiff")]
            Some("image/tiff") => Some(Self::Tiff),
            _ => None,
        })
    }

    /// Returns the name in records of the media protocol.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
            #[cfg(any(feature = "heic", feature = "avif"))]
            Self::Heif => "heif",
            #[cfg(feature = "tiff")]
            Self::Tiff => "tiff",
        }
    }
}

/// The header of a file, before its EXIF data is parsed.
#[derive(Debug)]
pub(super) struct RawHeader {
    /// Width and height as stored, before the EXIF orientation.
    pub(super) size: (u32, u32),
    pub(super) has_alpha: bool,
    /// The EXIF data, from its TIFF header on or with the prefix `Exif\0\0`.
    pub(super) exif: Option<Vec<u8>>,
    /// The orientation if it is not that of the EXIF data.
    pub(super) orientation: Option<Orientation>,
}

/// Larger EXIF data is ignored, in bytes. A JPEG segment holds 64 KB.
pub(super) const MAX_EXIF: u64 = 1 << 20;

/// Larger ICC profiles are ignored, in bytes. Profiles for printing take about 1 MB.
pub(super) const MAX_ICC_PROFILE: usize = 4 << 20;
