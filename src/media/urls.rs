//! The URLs of a media item.

use serde::Serialize;

use super::{Metadata, Variant};
use crate::id::MediaId;

/// The URLs of a media item. A request to them is authorized like every other request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct MediaUrls {
    /// The bytes as uploaded.
    pub original: String,
    /// [`Variant::Thumbnail`](crate::media::Variant::Thumbnail), if it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// [`Variant::Medium`](crate::media::Variant::Medium), if it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// [`Variant::Large`](crate::media::Variant::Large), if it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large: Option<String>,
}

impl MediaUrls {
    /// Creates the URLs of media without variants.
    pub fn new(original: impl Into<String>) -> Self {
        Self { original: original.into(), thumbnail: None, medium: None, large: None }
    }

    /// Returns all URLs of the media protocol, below a base without a trailing slash.
    pub(crate) fn all(base: &str, id: &MediaId) -> Self {
        let variant = |variant: Variant| Some(format!("{base}/media/{id}/file/{variant}"));
        Self {
            original: format!("{base}/media/{id}/file"),
            thumbnail: variant(Variant::Thumbnail),
            medium: variant(Variant::Medium),
            large: variant(Variant::Large),
        }
    }

    /// Removes the URLs of variants that do not exist: all variants if the file is not an image, and, as in
    /// the media protocol, those that would not be smaller than the image.
    pub(crate) fn that_exist(mut self, picture: Option<&Metadata>) -> Self {
        let longest = picture.map_or(0, |picture| picture.width.max(picture.height));
        self.thumbnail.take_if(|_| picture.is_none());
        let reaches = |variant: Variant| variant.transform().width() >= Some(longest);
        self.medium.take_if(|_| reaches(Variant::Medium));
        self.large.take_if(|_| reaches(Variant::Large));
        self
    }
}
