//! The JSON of one media record.

use std::{str::FromStr, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{
    id::{ContentHash, MediaId},
    media::{Exif, FailureReason, Media, MediaStatus, MediaUrls, Metadata},
};

/// A media record, fields in the protocol's order. Both sides of the protocol are trusted, so it
/// includes EXIF.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    #[serde(deserialize_with = "media_id")]
    id: MediaId,
    #[serde(deserialize_with = "StatusFields::deserialize")]
    status: MediaStatus,
    /// Absent from the original service.
    #[serde(default, deserialize_with = "failure_reason", skip_serializing_if = "Option::is_none")]
    failure_reason: Option<FailureReason>,
    /// Written as null if absent, while the other absent fields are left out.
    #[serde(rename = "originalName")]
    file_name: Option<String>,
    mime_type: String,
    size: u64,
    #[serde(deserialize_with = "parsed")]
    pub(crate) hash: ContentHash,
    #[serde(deserialize_with = "UrlFields::deserialize")]
    urls: MediaUrls,
    #[serde(default, deserialize_with = "metadata", skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exif: Option<Exif>,
    #[serde(serialize_with = "in_millis", deserialize_with = "timestamp")]
    created_at: SystemTime,
}

#[derive(Deserialize)]
#[serde(remote = "MediaStatus", rename_all = "lowercase")]
enum StatusFields {
    /// Old rows have the status `uploading`.
    #[serde(alias = "uploading")]
    Processing,
    Ready,
    Failed,
}

#[derive(Deserialize)]
#[serde(remote = "MediaUrls")]
struct UrlFields {
    original: String,
    thumbnail: Option<String>,
    medium: Option<String>,
    large: Option<String>,
}

fn media_id<'de, D: Deserializer<'de>>(id: D) -> Result<MediaId, D::Error> {
    MediaId::from_trusted(String::deserialize(id)?).map_err(de::Error::custom)
}

/// An unknown name, which a newer service may send, counts as absent.
pub(super) fn failure_reason<'de, D: Deserializer<'de>>(
    name: D,
) -> Result<Option<FailureReason>, D::Error> {
    let name = Option::<String>::deserialize(name)?;
    Ok(name.as_deref().and_then(FailureReason::from_name))
}

fn parsed<'de, D: Deserializer<'de>, T>(text: D) -> Result<T, D::Error>
where
    T: FromStr<Err: std::fmt::Display>,
{
    String::deserialize(text)?.parse().map_err(de::Error::custom)
}

fn timestamp<'de, D: Deserializer<'de>>(time: D) -> Result<SystemTime, D::Error> {
    parsed::<D, jiff::Timestamp>(time).map(SystemTime::from)
}

fn in_millis<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::try_from(*time).map_err(ser::Error::custom)?;
    serializer.collect_str(&format_args!("{time:.3}"))
}

/// Old rows have only one of the two dimensions, which describes no image.
fn metadata<'de, D: Deserializer<'de>>(metadata: D) -> Result<Option<Metadata>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields {
        width: Option<u32>,
        height: Option<u32>,
        format: Option<String>,
        #[serde(default)]
        has_alpha: bool,
    }
    let fields = Option::<Fields>::deserialize(metadata)?;
    Ok(fields.and_then(|Fields { width, height, format, has_alpha }| {
        Some(Metadata { width: width?, height: height?, format, has_alpha })
    }))
}

impl From<Media> for Record {
    fn from(media: Media) -> Self {
        let Media { id, status, file_name, mime_type, size, hash, urls, .. } = media;
        let Media { failure_reason, metadata, exif, created_at, .. } = media;
        Self {
            id,
            status,
            failure_reason,
            file_name,
            mime_type,
            size,
            hash,
            urls,
            metadata,
            exif,
            created_at,
        }
    }
}

impl From<Record> for Media {
    fn from(record: Record) -> Self {
        let Record { id, status, file_name, mime_type, size, hash, urls, .. } = record;
        let Record { failure_reason, metadata, exif, created_at, .. } = record;
        Self {
            id,
            status,
            failure_reason,
            file_name,
            mime_type,
            size,
            hash,
            urls,
            metadata,
            exif,
            created_at,
        }
    }
}
