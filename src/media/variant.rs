//! Named renditions.

use std::fmt;

use super::{Fit, Transform};

/// A stored rendition with a name: WebP, upright, without metadata, never enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Variant {
    /// 200 × 200, cropped to the centre; quality 80.
    Thumbnail,
    /// At most 800 on the longest side; quality 85.
    Medium,
    /// At most 1920 on the longest side; quality 90.
    Large,
}

impl Variant {
    /// All variants, smallest first.
    pub const ALL: [Self; 3] = [Self::Thumbnail, Self::Medium, Self::Large];

    /// Returns the name in URLs of the media protocol: `thumb`, `medium` or `large`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumb",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// Returns the transform that makes this variant.
    ///
    /// ```
    /// use tower_media::media::Variant;
    ///
    /// assert_eq!(Variant::Thumbnail.transform().key(), "w200-h200-cover-webp-q80");
    /// assert_eq!(Variant::Large.transform().key(), "w1920-h1920-inside-webp-q90");
    /// ```
    pub fn transform(self) -> Transform {
        let (side, fit, quality) = match self {
            Self::Thumbnail => (200, Fit::Cover, 80),
            Self::Medium => (800, Fit::Inside, 85),
            Self::Large => (1920, Fit::Inside, 90),
        };
        Transform::new().with_width(side).with_height(side).with_fit(fit).with_quality(quality)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
