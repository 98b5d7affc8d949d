//! The codecs of coded images.

#[cfg(feature = "avif")]
use super::av1;
#[cfg(feature = "heic")]
use super::hevc;
use super::{boxes::Result, meta::Meta, planes::Planes};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    #[cfg(feature = "heic")]
    Hevc,
    #[cfg(feature = "avif")]
    Av1,
}

impl Codec {
    pub(super) fn of_item_type(item_type: [u8; 4]) -> Option<Self> {
        match &item_type {
            #[cfg(feature = "heic")]
            b"hvc1" | b"hev1" => Some(Self::Hevc),
            #[cfg(feature = "avif")]
            b"av01" => Some(Self::Av1),
            _ => None,
        }
    }

    /// Returns the type of the property with the decoder configuration.
    pub(super) fn config_property(self) -> &'static [u8; 4] {
        match self {
            #[cfg(feature = "heic")]
            Self::Hevc => b"hvcC",
            #[cfg(feature = "avif")]
            Self::Av1 => b"av1C",
        }
    }

    /// Returns the bytes of memory per pixel that decoding takes, by the bit depth and chroma subsampling of
    /// the decoder configuration.
    pub(super) fn bytes_per_pixel(self, config: &[u8]) -> u64 {
        match self {
            #[cfg(feature = "heic")]
            Self::Hevc => {
                let has_full_chroma = config.get(16).is_some_and(|chroma| chroma & 3 > 1);
                hevc::BYTES_PER_PIXEL + if has_full_chroma { hevc::BYTES_PER_PIXEL / 2 } else { 0 }
            }
            #[cfg(feature = "avif")]
            Self::Av1 => {
                let flags = config.get(2).copied().unwrap_or_default();
                let (is_deep, has_full_chroma) = (flags & 0x40 != 0, flags & 0x0C != 0x0C);
                let planes = 2 + u64::from(has_full_chroma);
                av1::BYTES_PER_PIXEL * (1 + u64::from(is_deep)) * planes / 2
            }
        }
    }

    /// Decodes one image with at most `max_memory` bytes. `config` is the property of its configuration.
    pub(super) fn decode(
        self,
        config: &[u8],
        data: Vec<u8>,
        max_memory: u64,
    ) -> Result<Box<dyn Planes>> {
        let max_pixels = max_memory / self.bytes_per_pixel(config);
        match self {
            #[cfg(feature = "heic")]
            Self::Hevc => hevc::decode(config, data, max_pixels),
            #[cfg(feature = "avif")]
            Self::Av1 => av1::decode(data, max_pixels),
        }
    }
}

impl Meta {
    pub(super) fn codec_config(&self, id: u32) -> Result<(Codec, &[u8])> {
        let codec = self.item_type(id).and_then(Codec::of_item_type);
        let codec = codec.ok_or("unsupported item type of an image")?;
        let config = self.property(id, codec.config_property());
        Ok((codec, config.ok_or("the decoder configuration is missing")?))
    }
}
