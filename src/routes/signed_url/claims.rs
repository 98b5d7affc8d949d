//! The claims of a signed URL, and their text.

use crate::media::{Rendition, Transform, Variant};

/// The rendition that a signed URL opens, and its disposition. See [`MediaState::signed_url`](crate::MediaState::signed_url).
///
/// ```
/// use tower_media::{media::Variant, routes::LinkOptions, Rendition};
///
/// let shown = LinkOptions::from(Variant::Thumbnail);
/// let saved = LinkOptions::new(Rendition::Original).as_attachment();
/// assert_eq!(shown.rendition(), Rendition::Variant(Variant::Thumbnail));
/// assert_ne!(saved, LinkOptions::new(Rendition::Original));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LinkOptions {
    rendition: Rendition,
    attachment: bool,
}

impl LinkOptions {
    /// Selects a rendition. A browser shows it if it is a raster image, and saves it otherwise.
    pub fn new(rendition: Rendition) -> Self {
        Self { rendition, attachment: false }
    }

    /// Makes a browser save the file whatever its type is.
    #[must_use]
    pub fn as_attachment(mut self) -> Self {
        self.attachment = true;
        self
    }

    /// Returns the rendition.
    pub fn rendition(&self) -> Rendition {
        self.rendition
    }

    /// Returns whether a browser saves the file whatever its type is.
    pub fn is_attachment(&self) -> bool {
        self.attachment
    }
}

impl From<Rendition> for LinkOptions {
    fn from(rendition: Rendition) -> Self {
        Self::new(rendition)
    }
}

impl From<Variant> for LinkOptions {
    fn from(variant: Variant) -> Self {
        Self::new(variant.into())
    }
}

impl From<Transform> for LinkOptions {
    fn from(transform: Transform) -> Self {
        Self::new(transform.into())
    }
}

/// The signed claims: one rendition of one media item, for reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claims<'a> {
    pub(crate) id: &'a str,
    pub(crate) options: LinkOptions,
}

impl Claims<'_> {
    /// Returns the canonical text of the rendition.
    pub(super) fn rendition(&self) -> String {
        match self.options.rendition {
            Rendition::Original => "original".to_owned(),
            Rendition::Variant(variant) => format!("variant {variant}"),
            Rendition::Transform(transform) => format!("transform {}", transform.key()),
        }
    }

    pub(super) fn disposition(&self) -> &'static str {
        if self.options.attachment { "attachment" } else { "by-type" }
    }

    /// Returns the query parameters of the claims, which precede those of the signature.
    pub(super) fn query(&self) -> String {
        let mut query = match self.options.rendition {
            Rendition::Transform(transform) => transform.canonical().to_query() + "&",
            _ => String::new(),
        };
        if self.options.attachment {
            query.push_str("disposition=attachment&");
        }
        query
    }
}
