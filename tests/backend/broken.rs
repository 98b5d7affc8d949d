//! A backend with one of many faults, for tests of the conformance suite.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Mutex,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tower_media::{
    Error, ErrorKind, InMemory, Media, MediaId, Owner, Ownership, OwnershipQuestion, Rendition,
    Result, Scope, Scopes, Upload,
    backend::{MediaBackend, OwnershipStatus},
    media::{
        ContentHash, ContentRange, Download, DownloadOptions, ListOptions, MediaStats, MediaUrls,
        Page, UploadBody,
    },
};

/// The fault of [`Broken`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    AnswersSurplus,
    HidesAnOwnedId,
    HidesBehindFiveHundred,
    FailsOnUnknown,
    FailsOnNothing,
    IgnoresScopes,
    AsksTheFirstScopeOnly,
    AnswersOncePerRepeat,
    FoldsIds,
    ExplainsAllAsOwned,
    ListsTwice,
    ListsOldestFirst,
    ListIgnoresScopes,
    LosesOneBetweenPages,
    PagesByOffset,
    AcceptsAnyPage,
    CountsWrongly,
    RemovesForeign,
    RemovesAlways,
    RemembersRemoved,
    RemovesForAll,
    ScopeDeletionDeletesAll,
    ScopeDeletionIsAlwaysTrue,
    ScopeDeletionKeepsTheRecord,
    ScopeDeletionIgnoresTheOwner,
    ScopeDeletionDeletesOtherOwners,
    KeepsBroken,
    KeepsDropped,
    AcceptsInvalidScope,
    EndsAtEmptyPiece,
    ReordersPieces,
    NewIdPerUpload,
    RacesItself,
    FailsOnEmpty,
    RevivesScopes,
    OneIdForAll,
    TellsTheFirstName,
    TellsTheFirstDate,
    SubjectOnly,
    JoinsOwners,
    FoldsOwners,
    FoldsScopes,
    WrongHash,
    WrongType,
    TruncatesOriginals,
    OriginalAsRendition,
    HidesThePart,
    MovesThePart,
    UnsatisfiableIsEmpty,
    ForgetsFiles,
    UnknownIsUnavailable,
    UrlsWithoutId,
    UrlsTellTheOwner,
    /// Correct behaviour that the suite must accept.
    KeepsPicturesOnly,
}

/// [`InMemory`] with one [`Fault`].
#[derive(Debug)]
pub struct Broken {
    backend: InMemory,
    fault: Fault,
    // All records ever stored, with their owners, in the order of the uploads.
    seen: Mutex<Vec<(Owner, Media)>>,
    // The uploads ever started.
    begun: Mutex<HashSet<(Owner, ContentHash)>>,
    deleted_from_scope: Mutex<HashSet<MediaId>>,
}

impl Broken {
    pub fn new(fault: Fault) -> Self {
        Self {
            backend: InMemory::new(),
            fault,
            seen: Mutex::default(),
            begun: Mutex::default(),
            deleted_from_scope: Mutex::default(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn find(&self, is_it: impl Fn(&Owner, &Media) -> bool) -> Option<(Owner, Media)> {
        self.seen.lock().unwrap().iter().find(|(owner, media)| is_it(owner, media)).cloned()
    }

    fn owner(&self, owner: &Owner) -> Owner {
        let subject = owner.subject();
        let changed = match (self.fault, owner.tenant()) {
            (Fault::SubjectOnly, _) => Owner::new(subject),
            (Fault::JoinsOwners, Some(tenant)) => Owner::new(format!("{tenant}:{subject}")),
            (Fault::FoldsOwners, None) => Owner::new(subject.to_lowercase()),
            _ => return owner.clone(),
        };
        changed.unwrap_or_else(|_| owner.clone())
    }

    fn scope(&self, scope: &Scope) -> Scope {
        match self.fault {
            Fault::FoldsScopes => Scope::new(scope.as_str().to_lowercase()).unwrap(),
            _ => scope.clone(),
        }
    }

    fn scopes(&self, scopes: &Scopes) -> Scopes {
        let Some(scopes) = scopes.as_slice() else { return Scopes::any() };
        Scopes::of(scopes.iter().map(|scope| self.scope(scope))).unwrap()
    }

    /// Reads the chunks of an upload, with the faults of this backend.
    async fn pieces(&self, owner: &Owner, body: UploadBody, again: &Again) -> Result<Bytes> {
        if self.is(Fault::ForgetsFiles) && matches!(body, UploadBody::File(_)) {
            return Ok(Bytes::new());
        }
        let UploadBody::Stream(mut stream) = body else { return body.into_bytes(usize::MAX).await };
        let mut pieces = Vec::new();
        let mut begun = None;
        let ended = loop {
            match stream.try_next().await {
                Ok(Some(piece)) if piece.is_empty() && self.is(Fault::EndsAtEmptyPiece) => {
                    break Ok(());
                }
                Ok(Some(piece)) => pieces.push(piece),
                Err(error) if !self.is(Fault::KeepsBroken) => break Err(error),
                Ok(None) | Err(_) => break Ok(()),
            }
            if self.is(Fault::KeepsDropped) && begun.is_none() {
                begun = Some(self.backend.upload(owner, again.upload(pieces[0].clone())).await?);
            }
        };
        // The cleanup runs only at the end of an upload that is not cancelled.
        if let Some(begun) = begun {
            self.backend.delete(owner, &begun.id).await?;
        }
        ended?;
        if self.is(Fault::ReordersPieces) {
            pieces.reverse();
        }
        Ok(pieces.concat().into())
    }
}

/// Returns an upload of other bytes with the same name and scope.
struct Again {
    scope: Scope,
    file_name: Option<String>,
}

impl Again {
    fn upload(&self, bytes: impl Into<Bytes>) -> Upload {
        let upload = Upload::new(bytes).scope(self.scope.clone());
        match &self.file_name {
            Some(name) => upload.file_name(name),
            None => upload,
        }
    }
}

impl Ownership for Broken {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let (owner, mut scopes) = (self.owner(question.owner()), self.scopes(question.scopes()));
        match (self.fault, scopes.as_slice()) {
            (Fault::IgnoresScopes, _) => scopes = Scopes::any(),
            (Fault::AsksTheFirstScopeOnly, Some([first, ..])) => scopes = first.clone().into(),
            _ => {}
        }
        let mut ids = question.select(|_| true);
        if self.is(Fault::FailsOnNothing) && ids.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "empty query"));
        }
        if self.is(Fault::FoldsIds) {
            ids.iter_mut().for_each(|id| *id = folded(id));
        }
        let mut owned = self.backend.owned(&OwnershipQuestion::new(&owner, &scopes, &ids)).await?;
        match self.fault {
            Fault::AnswersSurplus => owned.push(MediaId::from_trusted("surplus").unwrap()),
            Fault::HidesAnOwnedId if owned.len() > 16 => drop(owned.pop()),
            Fault::HidesBehindFiveHundred => owned.truncate(500),
            Fault::FailsOnUnknown if owned.len() < ids.len() => {
                return Err(Error::new(ErrorKind::NotFound, "unknown id in the query"));
            }
            Fault::AnswersOncePerRepeat => {
                let count = |id: &MediaId| ids.iter().filter(|other| *other == id).count();
                owned.retain(|id| count(id) == 1);
            }
            Fault::FoldsIds => {
                let folded_id = |id| folded(&MediaId::from_trusted(id).unwrap());
                owned = question.select(|id| owned.contains(&folded_id(id)));
            }
            _ => {}
        }
        Ok(owned)
    }

    async fn explain(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<OwnershipStatus>> {
        if self.is(Fault::ExplainsAllAsOwned) {
            return Ok(question.ids().map(|_| OwnershipStatus::Owned).collect());
        }
        self.backend.explain(question).await
    }
}

/// Returns the range one byte before this one, if it exists.
fn moved(part: ContentRange) -> ContentRange {
    let range = part.range();
    ContentRange::new(range.start.saturating_sub(1)..range.end - 1, part.total()).unwrap_or(part)
}

fn folded(id: &MediaId) -> MediaId {
    MediaId::from_trusted(id.as_str().to_lowercase()).unwrap()
}

impl MediaBackend for Broken {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        let parts = match upload.into_parts() {
            Err(_) if self.is(Fault::AcceptsInvalidScope) => {
                return self.backend.upload(owner, Upload::new("").scope("none")).await;
            }
            parts => parts?,
        };
        let owner = &self.owner(owner);
        let again = Again { scope: self.scope(&parts.scope), file_name: parts.file_name };
        let mut bytes = self.pieces(owner, parts.body, &again).await?;
        let hash = ContentHash::of(&bytes);
        if bytes.is_empty() && self.is(Fault::FailsOnEmpty) {
            return Err(Error::new(ErrorKind::Unavailable, "empty upload"));
        }
        if !bytes.starts_with(b"GIF89a") && self.is(Fault::KeepsPicturesOnly) {
            return Err(Error::new(ErrorKind::Unsupported, "not an image"));
        }
        let is_it = |holder: &Owner, media: &Media| holder == owner && media.hash == hash;
        let known = self.find(is_it).is_some();
        let has_begun = !self.begun.lock().unwrap().insert((owner.clone(), hash));
        let is_under_way = has_begun && !known;
        // Concurrent uploads all start before one ends.
        tokio::task::yield_now().await;
        if self.is(Fault::NewIdPerUpload) && known || self.is(Fault::RacesItself) && is_under_way {
            bytes = [&bytes[..], b"again"].concat().into();
        }
        let first = self.find(|_, media| media.hash == hash && media.size > 0);
        let mut media = self.backend.upload(owner, again.upload(bytes.clone())).await?;
        match (self.fault, &first) {
            (Fault::OneIdForAll, Some((theirs, first))) if theirs != owner => {
                media.id = first.id.clone()
            }
            (Fault::TellsTheFirstName, Some((_, first))) => {
                media.file_name = first.file_name.clone();
            }
            (Fault::TellsTheFirstDate, Some((_, first))) => media.created_at = first.created_at,
            (Fault::RevivesScopes, Some((theirs, _))) if theirs == owner => {
                self.backend.upload(owner, again.upload(bytes).scope("one")).await?;
            }
            (Fault::WrongHash, _) => media.hash = ContentHash::of(b""),
            _ => {}
        }
        self.seen.lock().unwrap().push((owner.clone(), media.clone()));
        Ok(media)
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        let mut got = self.backend.get(id).await;
        match self.fault {
            Fault::RemembersRemoved | Fault::ScopeDeletionKeepsTheRecord if got.is_err() => {
                let is_kept = self.is(Fault::RemembersRemoved)
                    || self.deleted_from_scope.lock().unwrap().contains(id);
                if is_kept && let Some((_, media)) = self.find(|_, media| media.id == *id) {
                    return Ok(media);
                }
            }
            Fault::UnknownIsUnavailable if got.is_err() => {
                got = Err(Error::new(ErrorKind::Unavailable, "empty download"));
            }
            _ => {}
        }
        got
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let options = match self.fault {
            Fault::OriginalAsRendition => Rendition::Original.into(),
            // A backend need not support ranges.
            Fault::KeepsPicturesOnly => options.rendition().into(),
            _ => *options,
        };
        let download = match self.backend.download(id, &options).await {
            Err(error) if error.kind() == ErrorKind::RangeNotSatisfiable => match self.fault {
                Fault::UnsatisfiableIsEmpty => Download::from_bytes("image/gif", Bytes::new()),
                _ => return Err(error),
            },
            download => download?,
        };
        match self.fault {
            Fault::HidesThePart if download.part().is_some() => {
                let content_type = download.content_type().to_owned();
                Ok(Download::from_stream(content_type, download.into_stream()))
            }
            Fault::MovesThePart => Ok(match download.part() {
                Some(part) => download.with_part(moved(part)),
                None => download,
            }),
            Fault::WrongType => Ok(Download::from_stream("image/png", download.into_stream())),
            Fault::TruncatesOriginals => {
                let content_type = download.content_type().to_owned();
                let bytes = download.into_bytes(usize::MAX).await?;
                let cut = bytes.slice(..bytes.len().saturating_sub(1));
                Ok(Download::from_stream(content_type, stream::iter([Ok(cut)]).boxed()))
            }
            _ => Ok(download),
        }
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let owner = self.owner(owner);
        let mut options = options.clone().with_scopes(self.scopes(options.scopes()));
        match self.fault {
            Fault::ListIgnoresScopes => options = options.with_scopes(Scopes::any()),
            Fault::PagesByOffset => return self.page_by_offset(&owner, &options).await,
            _ => {}
        }
        let mut page = match self.backend.list(&owner, &options).await {
            Err(_) if self.is(Fault::AcceptsAnyPage) => {
                let first = ListOptions::new().with_limit(options.limit());
                self.backend.list(&owner, &first).await?
            }
            page => page?,
        };
        match self.fault {
            Fault::ListsTwice => page.items.extend(page.items.first().cloned()),
            Fault::ListsOldestFirst => page.items.reverse(),
            Fault::LosesOneBetweenPages if page.next.is_some() => drop(page.items.pop()),
            _ => {}
        }
        Ok(page)
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        let stats = self.backend.stats(&self.owner(owner)).await?;
        match self.fault {
            Fault::CountsWrongly => Ok(MediaStats::new(stats.count, stats.bytes / 2)),
            _ => Ok(stats),
        }
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        let mut owner = self.owner(owner);
        let known = self.find(|_, media| media.id == *id);
        match (self.fault, &known) {
            (Fault::RemovesForeign, Some((theirs, _))) => owner = theirs.clone(),
            (Fault::RemovesForAll, Some((theirs, media))) if *theirs == owner => {
                let holders: BTreeMap<_, _> = {
                    let seen = self.seen.lock().unwrap();
                    let same = seen.iter().filter(|(_, other)| other.hash == media.hash);
                    same.map(|(owner, other)| (owner.clone(), other.id.clone())).collect()
                };
                let removed = self.backend.delete(&owner, id).await?;
                for (owner, id) in holders {
                    self.backend.delete(&owner, &id).await?;
                }
                return Ok(removed);
            }
            _ => {}
        }
        let removed = self.backend.delete(&owner, id).await?;
        Ok(removed || self.is(Fault::RemovesAlways))
    }

    async fn delete_from_scope(&self, owner: &Owner, id: &MediaId, scope: &Scope) -> Result<bool> {
        let mut owner = self.owner(owner);
        let known = self.find(|_, media| media.id == *id);
        match (self.fault, &known) {
            (Fault::KeepsPicturesOnly, _) => {
                return Err(Error::new(ErrorKind::Unsupported, "scopes are not supported"));
            }
            (Fault::ScopeDeletionDeletesAll, _) => {
                let deleted = self.backend.delete_from_scope(&owner, id, scope).await?;
                if deleted {
                    self.backend.delete(&owner, id).await?;
                }
                return Ok(deleted);
            }
            (Fault::ScopeDeletionIgnoresTheOwner, Some((theirs, _))) => owner = theirs.clone(),
            (Fault::ScopeDeletionDeletesOtherOwners, Some((theirs, media))) if *theirs == owner => {
                if let Some((other, others)) =
                    self.find(|other, record| *other != owner && record.hash == media.hash)
                {
                    self.backend.delete_from_scope(&other, &others.id, scope).await?;
                }
            }
            _ => {}
        }
        let deleted = self.backend.delete_from_scope(&owner, id, &self.scope(scope)).await?;
        if deleted {
            self.deleted_from_scope.lock().unwrap().insert(id.clone());
        }
        Ok(deleted || self.is(Fault::ScopeDeletionIsAlwaysTrue))
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        match self.fault {
            Fault::UrlsWithoutId => MediaUrls::new("/media"),
            Fault::UrlsTellTheOwner => {
                let owner = self.find(|_, media| media.id == *id).map(|(owner, _)| owner);
                MediaUrls::new(format!("/media/{id}/file?of={owner:?}"))
            }
            _ => self.backend.urls(id),
        }
    }
}

impl Broken {
    async fn page_by_offset(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let offset: usize = match options.after() {
            None => 0,
            Some(next) => next
                .parse()
                .map_err(|_| Error::new(ErrorKind::InvalidInput, "unknown page token"))?,
        };
        let all = ListOptions::new().with_scopes(options.scopes().clone()).with_limit(500);
        let all = self.backend.list(owner, &all).await?.items;
        let end = offset + options.limit();
        let next = (end < all.len()).then(|| end.to_string());
        Ok(Page::new(all.into_iter().skip(offset).take(options.limit()).collect(), next))
    }
}
