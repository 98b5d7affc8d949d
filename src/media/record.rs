//! The record of a media item.

use std::time::SystemTime;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};

use super::{Exif, FailureReason, MediaUrls, Metadata};
use crate::id::{ContentHash, MediaId};

/// The record of a media item: one upload of one owner.
///
/// It serialises to JSON with the field names of the media protocol (`originalName`, `mimeType`, …;
/// absent values are left out). **The JSON does not contain EXIF**, which can include a home address:
/// [`Exif`] serialises only through [`Media::for_owner`] (promise P7). Both views are responses.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Media {
    /// The id.
    pub id: MediaId,
    /// The state of its processing.
    pub status: MediaStatus,
    /// The reason why it is [`Failed`](MediaStatus::Failed), if the backend knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<FailureReason>,
    /// The file name of the upload, for display only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "originalName")]
    pub file_name: Option<String>,
    /// The MIME type that the bytes show.
    pub mime_type: String,
    /// The size of the original in bytes.
    pub size: u64,
    /// The SHA-256 of the original.
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub hash: ContentHash,
    /// The URLs of the original and its variants.
    pub urls: MediaUrls,
    /// Dimensions and format, once known; `None` if the file is not an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The EXIF data. Serialised only by [`Media::for_owner`].
    #[serde(skip)]
    pub exif: Option<Exif>,
    /// The time of the upload. In JSON: RFC 3339, UTC, with milliseconds.
    #[serde(serialize_with = "timestamp")]
    #[cfg_attr(feature = "utoipa", schema(value_type = String))]
    pub created_at: SystemTime,
}

impl Media {
    /// Creates the record of a new upload, for backends: `created_at` is now; failure reason, file name,
    /// metadata and EXIF are absent and can be set through the fields.
    pub fn new(
        id: MediaId,
        status: MediaStatus,
        mime_type: impl Into<String>,
        size: u64,
        hash: ContentHash,
        urls: MediaUrls,
    ) -> Self {
        Self {
            id,
            status,
            failure_reason: None,
            file_name: None,
            mime_type: mime_type.into(),
            size,
            hash,
            urls,
            metadata: None,
            exif: None,
            created_at: SystemTime::now(),
        }
    }

    /// Returns the view for the owner: the same JSON with `exif`.
    ///
    /// ```
    /// # use tower_media::{media::{ContentHash, Exif, MediaStatus, MediaUrls}, Media, MediaId};
    /// # let id = MediaId::from_trusted("m-1")?;
    /// # let hash = ContentHash::of(b"");
    /// # let mut media = Media::new(id, MediaStatus::Ready, "image/jpeg", 0, hash, MediaUrls::new("/m-1"));
    /// let mut exif = Exif::default();
    /// exif.gps_latitude = Some("47.6603".into());
    /// media.exif = Some(exif);
    ///
    /// assert!(!serde_json::to_string(&media)?.contains("47.6603"));
    /// assert!(serde_json::to_string(&media.for_owner())?.contains("47.6603"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_owner(&self) -> OwnerView<'_> {
        OwnerView { media: self, exif: self.exif.as_ref() }
    }
}

/// [`Media`] for its owner, with EXIF. Made by [`Media::for_owner`].
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OwnerView<'a> {
    #[serde(flatten)]
    media: &'a Media,
    #[serde(skip_serializing_if = "Option::is_none")]
    exif: Option<&'a Exif>,
}

impl IntoResponse for Media {
    /// Responds with the JSON without EXIF.
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl IntoResponse for OwnerView<'_> {
    /// Responds with the JSON with EXIF.
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

fn timestamp<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::try_from(*time).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// The state of an upload's processing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MediaStatus {
    /// Stored; renditions and metadata may still be missing.
    Processing,
    /// Processing is complete.
    Ready,
    /// Stored, but no rendition of it can be made; [`Media::failure_reason`] says why.
    Failed,
}
