//! Renditions computed from parameters.

use std::num::NonZeroU32;

/// The greatest width and height in pixels.
const MAX_SIDE: u32 = 16_384;

/// The way in which an image fills the requested size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Fit {
    /// The greatest size within the requested one that keeps the proportions.
    #[default]
    Inside,
    /// Exactly the requested size: keeps the proportions and crops to the centre.
    Cover,
    /// Exactly the requested size: keeps the proportions and adds bars (letterbox).
    Contain,
    /// Exactly the requested size: changes the proportions.
    Fill,
    /// The smallest size that covers the requested one and keeps the proportions, without cropping.
    Outside,
}

impl Fit {
    /// All values.
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
    /// `image/png`, which has no quality parameter
    Png,
    /// `image/avif`: small files, slow to encode. `Store` needs the feature `avif` for it.
    Avif,
}

impl Format {
    /// All values.
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

/// A rendition computed from parameters, which are clamped (promise P12): sides to 1–16,384 pixels, quality to
/// 1–100.
///
/// # Default
///
/// Both sides free, [`Fit::Inside`], [`Format::WebP`], quality 85.
///
/// ```
/// use tower_media::media::{Fit, Transform};
///
/// let square = Transform::new().with_width(300).with_height(300).with_fit(Fit::Cover).with_quality(1_000);
/// assert_eq!((square.width(), square.quality()), (Some(300), 100));
/// assert_eq!(Transform::new().with_width(0).width(), Some(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transform {
    pub(super) width: Option<NonZeroU32>,
    pub(super) height: Option<NonZeroU32>,
    pub(super) fit: Fit,
    pub(super) format: Format,
    pub(super) quality: u8,
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
    /// Creates the default transform.
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

    /// Sets the way in which the image fills width and height.
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

    /// Returns the way in which the image fills width and height.
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

    /// Normalizes the transform, so that transforms with the same result for every image are equal (promise
    /// P12): PNG has no quality, and a fit has an effect only with both sides.
    ///
    /// [`Fit::Fill`] is an exception, because it changes the proportions even with one side free.
    ///
    /// ```
    /// use tower_media::media::{Fit, Format, Transform};
    ///
    /// let plain = Transform::new().with_width(300).with_format(Format::Png);
    /// let fussy = plain.with_quality(12).with_fit(Fit::Cover);
    /// assert_eq!(fussy.canonical(), plain);
    /// assert_ne!(plain.with_fit(Fit::Fill).canonical(), plain);
    /// ```
    #[must_use]
    pub fn canonical(mut self) -> Self {
        if self.format == Format::Png {
            self.quality = Self::default().quality;
        }
        let free = (self.width.is_none(), self.height.is_none());
        if free == (true, true) || (free != (false, false) && self.fit != Fit::Fill) {
            self.fit = Fit::default();
        }
        self
    }

    /// Returns the canonical form as a file name of letters, digits and dashes. Different canonical forms
    /// have different keys.
    ///
    /// ```
    /// use tower_media::media::{Fit, Format, Transform};
    ///
    /// let cover = Transform::new().with_width(300).with_height(200).with_fit(Fit::Cover);
    /// assert_eq!(cover.key(), "w300-h200-cover-webp-q85");
    /// assert_eq!(cover.with_format(Format::Png).key(), "w300-h200-cover-png");
    /// assert_eq!(Transform::new().key(), "webp-q85");
    /// ```
    pub fn key(&self) -> String {
        let Self { width, height, fit, format, quality } = self.canonical();
        let sides = [("w", width), ("h", height)];
        let mut parts: Vec<String> =
            sides.iter().filter_map(|(name, side)| Some(format!("{name}{}", (*side)?))).collect();
        if width.is_some() && height.is_some() || fit == Fit::Fill {
            parts.push(fit.as_str().into());
        }
        parts.push(format.as_str().into());
        if format != Format::Png {
            parts.push(format!("q{quality}"));
        }
        parts.join("-")
    }

    /// Returns the query string of the media protocol.
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
