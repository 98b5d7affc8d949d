//! What to deliver of a piece of media: the original, a named variant, or a computed transform.

#[cfg(feature = "embedded")]
mod fitted;
mod name;
mod transform;

use std::fmt;

#[cfg(feature = "embedded")]
pub(crate) use self::fitted::{covering, inside};
pub use self::{
    name::UnknownName,
    transform::{Fit, Format, Transform},
};

/// What to deliver of a piece of media.
///
/// ```
/// use tower_media::{Format, Rendition, Transform, Variant};
///
/// assert_eq!(
///     Rendition::png(1024),
///     Rendition::from(Transform::new().with_width(1024).with_height(1024).with_format(Format::Png)),
/// );
/// assert_eq!(Rendition::from(Variant::Thumbnail), Rendition::Variant(Variant::Thumbnail));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Rendition {
    /// The bytes as they were uploaded, metadata included.
    #[default]
    Original,
    /// A stored rendition with a name.
    Variant(Variant),
    /// A rendition computed from parameters.
    Transform(Transform),
}

impl Rendition {
    /// A PNG no longer than `longest_side` pixels: what image models take.
    pub fn png(longest_side: u32) -> Self {
        Transform::new()
            .with_width(longest_side)
            .with_height(longest_side)
            .with_format(Format::Png)
            .into()
    }

    /// Returns what is computed for it, or `None` for the original, which is delivered as it is.
    pub fn transform(&self) -> Option<Transform> {
        match *self {
            Self::Original => None,
            Self::Variant(variant) => Some(variant.transform()),
            Self::Transform(transform) => Some(transform),
        }
    }
}

impl From<Variant> for Rendition {
    fn from(variant: Variant) -> Self {
        Self::Variant(variant)
    }
}

impl From<Transform> for Rendition {
    fn from(transform: Transform) -> Self {
        Self::Transform(transform)
    }
}

/// A stored rendition with a name: WebP, upright, without metadata, never enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Variant {
    /// 200 × 200, filled and cropped to the centre; quality 80.
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

    /// Returns the transform that this variant is a name for.
    ///
    /// ```
    /// use tower_media::Variant;
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
