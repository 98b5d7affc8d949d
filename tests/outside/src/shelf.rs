//! The application's own backend: one map behind a lock.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use tower_media::{
    Error, ErrorKind, Media, MediaId, Owner, Ownership, OwnershipQuestion, Rendition, Result,
    Scope, Scopes, Upload,
    backend::MediaBackend,
    media::{
        ContentHash, Download, DownloadOptions, ListOptions, MediaStats, MediaStatus, MediaUrls,
        Page,
    },
};

/// Stores media in a map. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<Mutex<Items>>);

#[derive(Debug, Default)]
struct Items {
    by_id: HashMap<MediaId, Item>,
    arrivals: u64,
}

#[derive(Debug)]
struct Item {
    owner: Owner,
    scopes: BTreeSet<Scope>,
    arrival: u64,
    bytes: Bytes,
    media: Media,
}

impl Item {
    fn counts(&self, owner: &Owner, scopes: &Scopes) -> bool {
        self.owner == *owner && self.scopes.iter().any(|scope| scopes.contains(scope))
    }
}

impl Shelf {
    fn items(&self) -> MutexGuard<'_, Items> {
        self.0.lock().expect("not poisoned")
    }
}

impl Items {
    fn item(&self, id: &MediaId) -> Result<&Item> {
        self.by_id.get(id).ok_or_else(|| Error::new(ErrorKind::NotFound, "the media was not found"))
    }
}

/// Returns the type that the bytes show. The type that the client declares is ignored.
fn mime_type(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        _ => "application/octet-stream",
    }
}

impl Ownership for Shelf {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let items = self.items();
        Ok(question.select(|id| {
            let item = items.by_id.get(id);
            item.is_some_and(|item| item.counts(question.owner(), question.scopes()))
        }))
    }
}

impl MediaBackend for Shelf {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        let parts = upload.into_parts()?;
        let bytes = parts.body.into_bytes(1 << 20).await?;
        let hash = ContentHash::of(&bytes);

        let mut items = self.items();
        let known = |item: &&mut Item| item.owner == *owner && item.media.hash == hash;
        if let Some(item) = items.by_id.values_mut().find(known) {
            item.scopes.insert(parts.scope);
            return Ok(item.media.clone());
        }
        items.arrivals += 1;
        let arrival = items.arrivals;
        let id = MediaId::random();
        let urls = self.urls(&id);
        let mime_type = mime_type(&bytes);
        let size = bytes.len() as u64;
        let mut media = Media::new(id.clone(), MediaStatus::Ready, mime_type, size, hash, urls);
        media.file_name = parts.file_name;
        let scopes = BTreeSet::from([parts.scope]);
        let item = Item { owner: owner.clone(), scopes, arrival, bytes, media: media.clone() };
        items.by_id.insert(id, item);
        Ok(media)
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        Ok(self.items().item(id)?.media.clone())
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let items = self.items();
        let item = items.item(id)?;
        if options.rendition() != Rendition::Original {
            return Err(Error::new(ErrorKind::Unsupported, "this backend has no renditions"));
        }
        let download = Download::from_bytes(&item.media.mime_type, item.bytes.clone());
        Ok(download.with_hash(item.media.hash))
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let before = match options.after() {
            None => u64::MAX,
            Some(next) => next.parse().map_err(|error| {
                Error::new(ErrorKind::InvalidInput, "unknown page token").with_source(error)
            })?,
        };
        let items = self.items();
        let wanted = |item: &&Item| item.arrival < before && item.counts(owner, options.scopes());
        let mut found: Vec<_> = items.by_id.values().filter(wanted).collect();
        found.sort_by_key(|item| std::cmp::Reverse(item.arrival));
        let more = found.len() > options.limit();
        found.truncate(options.limit());
        let next = found.last().filter(|_| more).map(|item| item.arrival.to_string());
        Ok(Page::new(found.into_iter().map(|item| item.media.clone()).collect(), next))
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        let items = self.items();
        let of_owner: Vec<_> = items.by_id.values().filter(|item| item.owner == *owner).collect();
        let bytes = of_owner.iter().map(|item| item.media.size).sum();
        Ok(MediaStats::new(of_owner.len() as u64, bytes))
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        let mut items = self.items();
        let is_theirs = items.by_id.get(id).is_some_and(|item| item.owner == *owner);
        Ok(is_theirs && items.by_id.remove(id).is_some())
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        MediaUrls::new(format!("/shelf/{id}"))
    }
}
