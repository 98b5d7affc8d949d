//! The renditions of a media item: the original, a named variant, or a computed transform.

use super::{Format, Transform, Variant};

/// The form in which to deliver a media item: the original, a variant, or a transform.
///
/// ```
/// use tower_media::{media::{Format, Transform, Variant}, Rendition};
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
    /// The bytes as uploaded, with their metadata.
    #[default]
    Original,
    /// A stored rendition with a name.
    Variant(Variant),
    /// A rendition computed from parameters.
    Transform(Transform),
}

impl Rendition {
    /// Returns a PNG with no side longer than `longest_side` pixels, the input of image models.
    pub fn png(longest_side: u32) -> Self {
        Transform::new()
            .with_width(longest_side)
            .with_height(longest_side)
            .with_format(Format::Png)
            .into()
    }

    /// Returns the transform that makes the rendition, or `None` for the original.
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
