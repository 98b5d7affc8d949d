//! The URLs under which browsers fetch media.

use crate::{
    id::MediaId,
    media::{Media, MediaUrls},
    protocol::Record,
};

/// Builds the URLs that browsers get.
#[derive(Debug, Clone)]
pub(super) struct PublicUrls {
    /// The base that the application has configured, in place of the URLs in the service's records.
    configured: Option<String>,
    /// The base at the service itself.
    service: String,
}

impl PublicUrls {
    /// Both bases end where `/media/{id}` begins, without a slash.
    pub(super) fn new(configured: Option<String>, service: String) -> Self {
        Self { configured, service }
    }

    /// Returns the URLs of `id` and of all variants, whether or not they exist.
    pub(super) fn all(&self, id: &MediaId) -> MediaUrls {
        MediaUrls::all(self.configured.as_ref().unwrap_or(&self.service), id)
    }

    /// Replaces the record's URLs if the application has configured a base. Variants that the record
    /// does not name stay absent.
    pub(super) fn media(&self, record: Record) -> Media {
        let mut media = Media::from(record);
        if self.configured.is_some() {
            let given = std::mem::replace(&mut media.urls, self.all(&media.id));
            media.urls.thumbnail.take_if(|_| given.thumbnail.is_none());
            media.urls.medium.take_if(|_| given.medium.is_none());
            media.urls.large.take_if(|_| given.large.is_none());
        }
        media
    }
}
