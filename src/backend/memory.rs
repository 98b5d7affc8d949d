//! The in-memory backend, for examples and tests.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    backend::MediaBackend,
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    image::{Identity, ImageProcessor, ImageSource},
    media::{
        Download, DownloadOptions, FailureReason, ListOptions, Media, MediaStats, MediaStatus,
        MediaUrls, Page, Upload, UploadParts,
    },
    owner::{Owner, Scope, Scopes},
    ownership::{Ownership, OwnershipQuestion, OwnershipStatus},
};

/// The largest upload, in bytes.
const MAX_UPLOAD: usize = 100 << 20;

/// A backend that stores media in memory until the process ends.
///
/// It implements every method of a backend. With the feature `images` it reads dimensions and EXIF and makes
/// renditions as `Store` does, but stores no rendition; without the feature a rendition is
/// [`ErrorKind::Unsupported`]. Equal bytes are stored once for all owners; each owner has a record
/// with a random id. An upload is at most 100 MiB.
///
/// Cloning is cheap; clones share their media.
#[derive(Debug, Clone, Default)]
pub struct InMemory {
    inner: Arc<Mutex<Inner>>,
    images: ImageProcessor,
}

#[derive(Default)]
struct Inner {
    contents: HashMap<ContentHash, Content>,
    items: HashMap<MediaId, Item>,
    libraries: HashMap<Owner, Library>,
}

/// The ids of an owner's media in the order of their uploads. Each owner has a counter of their own, because
/// page tokens contain it and must not reveal other owners' uploads.
#[derive(Default)]
struct Library {
    ids: BTreeMap<u64, MediaId>,
    arrivals: u64,
}

struct Content {
    bytes: Bytes,
    // The id of each owner's record.
    holders: HashMap<Owner, MediaId>,
}

struct Item {
    owner: Owner,
    scopes: BTreeSet<Scope>,
    arrival: u64,
    media: Media,
}

impl Library {
    /// Returns the arrival number in a page token, if a page could have had exactly this token.
    fn arrival(&self, token: &str) -> Option<u64> {
        let arrival = token.parse().ok()?;
        ((1..=self.arrivals).contains(&arrival) && arrival.to_string() == token).then_some(arrival)
    }
}

impl std::fmt::Debug for Inner {
    // Bytes and file names stay out of logs (promise G16).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("contents", &self.contents.len())
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

impl InMemory {
    /// Creates an empty backend.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limits of image decoding.
    #[cfg(feature = "images")]
    #[must_use]
    pub fn with_image_limits(mut self, limits: crate::image::ImageLimits) -> Self {
        self.images = ImageProcessor::new(limits);
        self
    }
}

impl Inner {
    fn store(
        &mut self,
        owner: Owner,
        bytes: Bytes,
        identity: Identity,
        (file_name, scope): (Option<String>, Scope),
    ) -> Media {
        let hash = ContentHash::of(&bytes);
        let content =
            self.contents.entry(hash).or_insert_with(|| Content { bytes, holders: HashMap::new() });
        if let Some(id) = content.holders.get(&owner) {
            let item = self.items.get_mut(id).expect("a holder's id has an item");
            item.scopes.insert(scope);
            if item.media.status == MediaStatus::Failed {
                describe(&mut item.media, identity);
            }
            return item.media.clone();
        }

        let id = MediaId::random();
        let size = content.bytes.len() as u64;
        let (status, urls) = (identity.status(), MediaUrls::all("", &id));
        let mut media = Media::new(id.clone(), status, "", size, hash, urls);
        media.file_name = file_name;
        describe(&mut media, identity);
        content.holders.insert(owner.clone(), id.clone());
        let library = self.libraries.entry(owner.clone()).or_default();
        library.arrivals += 1;
        let arrival = library.arrivals;
        library.ids.insert(arrival, id.clone());
        let item = Item { owner, scopes: [scope].into(), arrival, media: media.clone() };
        self.items.insert(id, item);
        media
    }

    /// Records that no rendition of the media can be made.
    fn fail(&mut self, id: &MediaId, reason: FailureReason) {
        let Some(Item { media, .. }) = self.items.get_mut(id) else { return };
        media.status = MediaStatus::Failed;
        media.failure_reason = Some(reason);
        media.urls = MediaUrls::all("", id).that_exist(None);
    }

    fn item(&self, id: &MediaId) -> Result<&Item> {
        self.items.get(id).ok_or_else(Error::not_found)
    }

    fn delete(&mut self, owner: &Owner, id: &MediaId) -> bool {
        if self.items.get(id).is_none_or(|item| item.owner != *owner) {
            return false;
        }
        let item = self.items.remove(id).expect("the item exists");
        if let Some(library) = self.libraries.get_mut(owner) {
            library.ids.remove(&item.arrival);
        }
        if let Some(content) = self.contents.get_mut(&item.media.hash) {
            content.holders.remove(owner);
            if content.holders.is_empty() {
                self.contents.remove(&item.media.hash);
            }
        }
        true
    }

    fn delete_from_scope(&mut self, owner: &Owner, id: &MediaId, scope: &Scope) -> bool {
        let Some(item) = self.items.get_mut(id).filter(|item| item.owner == *owner) else {
            return false;
        };
        let deleted = item.scopes.remove(scope);
        if item.scopes.is_empty() {
            self.delete(owner, id);
        }
        deleted
    }

    fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let library = self.libraries.get(owner);
        let before = match options.after() {
            None => u64::MAX,
            Some(next) => library
                .and_then(|library| library.arrival(next))
                .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "unknown page token"))?,
        };
        let mut items: Vec<&Item> = library
            .into_iter()
            .flat_map(|library| library.ids.range(..before).rev())
            .map(|(_, id)| &self.items[id])
            .filter(|item| item.counts_in(options.scopes()))
            .take(options.limit() + 1)
            .collect();
        let more = items.len() > options.limit();
        items.truncate(options.limit());
        let next = items.last().filter(|_| more).map(|item| item.arrival.to_string());
        Ok(Page::new(items.into_iter().map(|item| item.media.clone()).collect(), next))
    }

    fn status_of(&self, question: &OwnershipQuestion<'_>, id: &str) -> OwnershipStatus {
        match self.items.get(id) {
            None => OwnershipStatus::Absent,
            Some(item) if item.owner != *question.owner() => OwnershipStatus::Foreign,
            Some(item) if !item.counts_in(question.scopes()) => OwnershipStatus::WrongScope,
            Some(_) => OwnershipStatus::Owned,
        }
    }
}

/// Writes into a record what the bytes show.
fn describe(media: &mut Media, identity: Identity) {
    media.status = identity.status();
    media.urls = MediaUrls::all("", &media.id).that_exist(identity.metadata.as_ref());
    let Identity { mime_type, metadata, exif, failure } = identity;
    (media.mime_type, media.metadata, media.exif) = (mime_type, metadata, exif);
    media.failure_reason = failure;
}

impl Item {
    fn counts_in(&self, scopes: &Scopes) -> bool {
        self.scopes.iter().any(|scope| scopes.contains(scope))
    }
}

impl Ownership for InMemory {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let inner = self.inner.lock();
        Ok(question.select(|id| inner.status_of(question, id) == OwnershipStatus::Owned))
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        let inner = self.inner.lock();
        Ok(question.ids().map(|id| inner.status_of(question, id)).collect())
    }
}

impl MediaBackend for InMemory {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        let UploadParts { body, file_name, content_type, scope, .. } = upload.into_parts()?;
        let bytes = body.into_bytes(MAX_UPLOAD).await?;
        let source = ImageSource::Bytes(bytes.clone());
        let identity = self.images.identify(owner, source, &bytes, content_type.as_deref()).await?;
        Ok(self.inner.lock().store(owner.clone(), bytes, identity, (file_name, scope)))
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        Ok(self.inner.lock().item(id)?.media.clone())
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let (media, owner, bytes) = {
            let inner = self.inner.lock();
            let Item { media, owner, .. } = inner.item(id)?;
            let bytes = inner.contents[&media.hash].bytes.clone();
            (media.clone(), owner.clone(), bytes)
        };
        if let Some(transform) = options.rendition().transform() {
            if let Some(reason) = media.failure_reason {
                return Err(Error::failed(reason, "the image cannot be processed"));
            }
            let source = ImageSource::Bytes(bytes);
            let made = self.images.render(&owner, source, &[transform.into()]).await;
            if let Some(reason) = made.as_ref().err().and_then(Error::failure_reason) {
                self.inner.lock().fail(id, reason);
            }
            let made = made?;
            let made = made.into_iter().next().expect("one transform gives one rendition");
            let hash = ContentHash::of(&made.bytes);
            return Ok(Download::from_bytes(made.mime_type, made.bytes).with_hash(hash));
        }
        let download = match options.part_of(media.size)? {
            None => Download::from_bytes(&media.mime_type, bytes).accepting_ranges(),
            Some(part) => {
                let range = part.range();
                let bytes = bytes.slice(range.start as usize..range.end as usize);
                Download::from_bytes(&media.mime_type, bytes).with_part(part)
            }
        };
        let download = download.with_hash(media.hash).with_last_modified(media.created_at);
        Ok(match &media.file_name {
            Some(name) => download.with_file_name(name),
            None => download,
        })
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.inner.lock().list(owner, options)
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        let inner = self.inner.lock();
        let library = inner.libraries.get(owner);
        let ids = library.into_iter().flat_map(|library| library.ids.values());
        let sizes = ids.map(|id| inner.items[id].media.size);
        Ok(sizes.fold(MediaStats::default(), |sum, size| {
            MediaStats::new(sum.count + 1, sum.bytes + size)
        }))
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        Ok(self.inner.lock().delete(owner, id))
    }

    async fn delete_from_scope(&self, owner: &Owner, id: &MediaId, scope: &Scope) -> Result<bool> {
        Ok(self.inner.lock().delete_from_scope(owner, id, scope))
    }

    async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        let inner = self.inner.lock();
        let holders = inner.contents.get(&hash).map(|content| content.holders.values());
        let records = holders.into_iter().flatten().map(|id| &inner.items[id].media);
        Ok(records.min_by_key(|media| media.created_at).cloned())
    }

    async fn delete_any_owner(&self, id: &MediaId) -> Result<bool> {
        let mut inner = self.inner.lock();
        let owner = inner.items.get(id).map(|item| item.owner.clone());
        Ok(owner.is_some_and(|owner| inner.delete(&owner, id)))
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        MediaUrls::all("", id)
    }
}
