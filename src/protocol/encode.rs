//! The record as the protocol has it.

use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::{
    id::{ContentHash, MediaId},
    media::{Exif, Media, MediaStatus, MediaUrls, Metadata, SearchPage},
};

/// A record, fields in the protocol's order. Callers are trusted, so EXIF is in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record<'a> {
    id: &'a MediaId,
    status: MediaStatus,
    /// Null where there is none, unlike everything else.
    #[serde(rename = "originalName")]
    file_name: Option<&'a str>,
    mime_type: &'a str,
    size: u64,
    hash: ContentHash,
    urls: &'a MediaUrls,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exif: Option<&'a Exif>,
    #[serde(serialize_with = "timestamp")]
    created_at: SystemTime,
}

impl<'a> From<&'a Media> for Record<'a> {
    fn from(media: &'a Media) -> Self {
        Self {
            id: &media.id,
            status: media.status,
            file_name: media.file_name.as_deref(),
            mime_type: &media.mime_type,
            size: media.size,
            hash: media.hash,
            urls: &media.urls,
            metadata: media.metadata.as_ref(),
            exif: media.exif.as_ref(),
            created_at: media.created_at,
        }
    }
}

/// A page of `list/all`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordPage<'a> {
    items: Vec<Record<'a>>,
    total: u64,
    has_more: bool,
}

impl<'a> From<&'a SearchPage> for RecordPage<'a> {
    fn from(page: &'a SearchPage) -> Self {
        let items = page.items.iter().map(Record::from).collect();
        Self { items, total: page.total, has_more: page.has_more }
    }
}

fn timestamp<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = jiff::Timestamp::try_from(*time).map_err(serde::ser::Error::custom)?;
    serializer.collect_str(&format_args!("{time:.3}"))
}
