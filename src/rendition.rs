//! What to deliver of a piece of media: the original, a named variant, or a computed transform.

use std::{fmt, num::NonZeroU32};

/// The longest side that can be asked for, in pixels.
const MAX_SIDE: u32 = 16_384;

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
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a picture fills the asked size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Fit {
    /// As large as fits, proportions kept.
    #[default]
    Inside,
    /// Fills the size, proportions kept, cropped to the centre.
    Cover,
    /// Fits into the size, proportions kept, with bars around it.
    Contain,
    /// Exactly the size, proportions changed.
    Fill,
    /// As small as covers the size, proportions kept, nothing cropped.
    Outside,
}

impl Fit {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Inside, Self::Cover, Self::Contain, Self::Fill, Self::Outside];

    /// Returns the name in queries of the media protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Cover => "cover",
            Self::Contain => "contain",
            Self::Fill => "fill",
            Self::Outside => "outside",
        }
    }
}

/// The format of a transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// `image/webp`
    #[default]
    WebP,
    /// `image/jpeg`
    Jpeg,
    /// `image/png`, which has no quality
    Png,
    /// `image/avif`
    Avif,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::WebP, Self::Jpeg, Self::Png, Self::Avif];

    /// Returns the name in queries of the media protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebP => "webp",
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Avif => "avif",
        }
    }

    /// Returns the MIME type.
    pub fn mime_type(self) -> &'static str {
        match self {
            Self::WebP => "image/webp",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Avif => "image/avif",
        }
    }
}

/// A rendition computed from parameters, each of which is clamped to what makes sense (contract
/// P12): sides to 1–16,384 pixels, quality to 1–100.
///
/// # Default
///
/// Both sides free, [`Fit::Inside`], [`Format::WebP`], quality 85.
///
/// ```
/// use tower_media::{Fit, Transform};
///
/// let square = Transform::new().with_width(300).with_height(300).with_fit(Fit::Cover).with_quality(1_000);
/// assert_eq!((square.width(), square.quality()), (Some(300), 100));
/// assert_eq!(Transform::new().with_width(0).width(), Some(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transform {
    width: Option<NonZeroU32>,
    height: Option<NonZeroU32>,
    fit: Fit,
    format: Format,
    quality: u8,
}

impl Default for Transform {
    fn default() -> Self {
        Self {
            width: None,
            height: None,
            fit: Fit::default(),
            format: Format::default(),
            quality: 85,
        }
    }
}

fn side(pixels: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(pixels.clamp(1, MAX_SIDE))
}

impl Transform {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the width in pixels.
    #[must_use]
    pub fn with_width(mut self, pixels: u32) -> Self {
        self.width = side(pixels);
        self
    }

    /// Sets the height in pixels.
    #[must_use]
    pub fn with_height(mut self, pixels: u32) -> Self {
        self.height = side(pixels);
        self
    }

    /// Sets how the picture fills width and height.
    #[must_use]
    pub fn with_fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// Sets the format.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Sets the quality, which PNG does not use.
    #[must_use]
    pub fn with_quality(mut self, quality: u32) -> Self {
        self.quality = quality.clamp(1, 100) as u8;
        self
    }

    /// Returns the width, or `None` if it is free.
    pub fn width(&self) -> Option<u32> {
        self.width.map(NonZeroU32::get)
    }

    /// Returns the height, or `None` if it is free.
    pub fn height(&self) -> Option<u32> {
        self.height.map(NonZeroU32::get)
    }

    /// Returns how the picture fills width and height.
    pub fn fit(&self) -> Fit {
        self.fit
    }

    /// Returns the format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the quality.
    pub fn quality(&self) -> u8 {
        self.quality
    }

    /// Returns the query of the media protocol that asks for it: one text for each meaning.
    #[cfg(any(feature = "remote", feature = "routes"))]
    pub(crate) fn to_query(self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("format", self.format().as_str());
        if let Some(width) = self.width() {
            query.append_pair("w", &width.to_string());
        }
        if let Some(height) = self.height() {
            query.append_pair("h", &height.to_string());
        }
        query.append_pair("fit", self.fit().as_str());
        query.append_pair("q", &self.quality().to_string());
        query.finish()
    }
}
