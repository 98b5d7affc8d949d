//! What to deliver of a piece of media: the original, a named variant, or a computed transform.

use super::{Format, Transform, Variant};

/// What to deliver of a piece of media.
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
