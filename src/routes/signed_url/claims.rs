//! What a signed URL opens, and how that is written.

use crate::media::{Rendition, Transform, Variant};

/// What a signed URL opens. See [`MediaState::signed_url`](crate::MediaState::signed_url).
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
    /// Begins with a rendition, which a browser shows if it is a picture and saves otherwise.
    pub fn new(rendition: Rendition) -> Self {
        Self { rendition, attachment: false }
    }

    /// Makes a browser save pictures, too.
    #[must_use]
    pub fn as_attachment(mut self) -> Self {
        self.attachment = true;
        self
    }

    /// Returns the rendition.
    pub fn rendition(&self) -> Rendition {
        self.rendition
    }

    /// Returns whether a browser saves whatever it is.
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

/// What is signed: one rendition of one piece of media, to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claims<'a> {
    pub(crate) id: &'a str,
    pub(crate) options: LinkOptions,
}

impl Claims<'_> {
    /// The rendition in one text for each meaning.
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

    /// The part of the query that stands before the signature's own.
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
