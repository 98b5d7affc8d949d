//! The JSON of the media service, and what it means here.

use std::{borrow::Cow, collections::HashSet, time::SystemTime};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{Exif, Media, MediaStatus, MediaUrls, Metadata},
};

/// A record, as upload, get, hash and lists give it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    id: String,
    status: String,
    #[serde(rename = "originalName")]
    file_name: Option<String>,
    mime_type: String,
    size: u64,
    pub(crate) hash: String,
    urls: Urls,
    metadata: Option<Picture>,
    exif: Option<Exif>,
    created_at: String,
}

#[derive(Deserialize)]
struct Urls {
    original: String,
    thumbnail: Option<String>,
    medium: Option<String>,
    large: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Picture {
    // Rows of an older version can have the one without the other.
    width: Option<u32>,
    height: Option<u32>,
    format: Option<String>,
    #[serde(default)]
    has_alpha: bool,
}

impl Picture {
    fn into_metadata(self) -> Option<Metadata> {
        let mut metadata = Metadata::new(self.width?, self.height?);
        (metadata.format, metadata.has_alpha) = (self.format, self.has_alpha);
        Some(metadata)
    }
}

/// Builds the URLs that browsers get.
#[derive(Debug, Clone)]
pub(crate) struct PublicUrls(Option<String>);

impl PublicUrls {
    /// Under `base`, which ends where `/media/…` begins, or as the service gives them.
    pub(crate) fn new(base: Option<String>) -> Self {
        Self(base)
    }

    /// The URLs of `id` under `base`, every variant included.
    pub(crate) fn all(&self, id: &MediaId, otherwise: &str) -> MediaUrls {
        let base = self.0.as_deref().unwrap_or(otherwise);
        MediaUrls::all(base, id)
    }

    fn of(&self, id: &MediaId, given: Urls) -> MediaUrls {
        let Some(base) = &self.0 else {
            let mut urls = MediaUrls::new(given.original);
            (urls.thumbnail, urls.medium, urls.large) =
                (given.thumbnail, given.medium, given.large);
            return urls;
        };
        // Only those that exist; where they are is for the configuration to say.
        let mut urls = self.all(id, base);
        urls.thumbnail = urls.thumbnail.filter(|_| given.thumbnail.is_some());
        urls.medium = urls.medium.filter(|_| given.medium.is_some());
        urls.large = urls.large.filter(|_| given.large.is_some());
        urls
    }
}

impl Record {
    pub(crate) fn into_media(self, public: &PublicUrls) -> Result<Media> {
        let id = MediaId::from_trusted(&self.id).map_err(|_| nonsense("id"))?;
        let status = match self.status.as_str() {
            "ready" => MediaStatus::Ready,
            "failed" => MediaStatus::Failed,
            // `uploading` is in old rows; it too is not over yet.
            "processing" | "uploading" => MediaStatus::Processing,
            _ => return Err(nonsense("status")),
        };
        let hash = self.hash.parse().map_err(|_| nonsense("hash"))?;
        let created: jiff::Timestamp = self.created_at.parse().map_err(|_| nonsense("date"))?;
        let urls = public.of(&id, self.urls);
        let mut media = Media::new(id, status, self.mime_type, self.size, hash, urls);
        media.file_name = self.file_name;
        media.metadata = self.metadata.and_then(Picture::into_metadata);
        media.exif = self.exif;
        media.created_at = SystemTime::from(created);
        Ok(media)
    }
}

fn nonsense(what: &str) -> Error {
    Error::new(
        ErrorKind::Unexpected,
        format!("the media service sent a record without a valid {what}"),
    )
}

/// What is read of a record in a list, to know what is owned.
#[derive(Deserialize)]
pub(crate) struct Row<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) status: Cow<'a, str>,
}

/// A page of the sorted list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchOptions<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: u64,
    pub(crate) has_more: bool,
}

/// A page of it that may end with a cursor.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListAfter {
    pub(crate) items: Vec<Record>,
    pub(crate) has_more: bool,
    /// Null on the last page of a service that knows cursors, and absent with any other.
    #[serde(default, deserialize_with = "present")]
    pub(crate) next: Option<Option<String>>,
}

fn present<'de, D: serde::Deserializer<'de>>(next: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(next).map(Some)
}

/// The question about ownership, to a server that knows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnedQuestion<'a> {
    pub(crate) user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) apps: Option<Vec<&'a str>>,
    pub(crate) ids: Vec<&'a str>,
}

/// The answer to it.
#[derive(Deserialize)]
pub(crate) struct OwnedAnswer<'a> {
    #[serde(borrow)]
    pub(crate) owned: Vec<Cow<'a, str>>,
}

impl OwnedAnswer<'_> {
    /// The ids that were asked for and are owned, unless the answer names others.
    pub(crate) fn among(self, asked: &[MediaId]) -> Result<HashSet<MediaId>> {
        let asked: HashSet<&str> = asked.iter().map(MediaId::as_str).collect();
        let surplus = || {
            Error::new(
                ErrorKind::Unexpected,
                "the media service named media that was not asked for",
            )
        };
        self.owned
            .iter()
            .map(|id| {
                let id = asked.get(&**id).ok_or_else(surplus)?;
                MediaId::from_trusted(id).map_err(|_| surplus())
            })
            .collect()
    }
}
