//! The tools of the checks: new owners, new images, and calls that must succeed.

use std::{borrow::Borrow, collections::BTreeSet, fmt};

use bytes::Bytes;

use crate::{
    backend::MediaBackend,
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{ListOptions, Media, MediaStats, Rendition, Upload},
    owner::{Owner, Scope, Scopes},
    ownership::OwnershipQuestion,
};

/// The scope of uploads for which the scope does not matter.
pub(super) const SCOPE: &str = "conformance";

/// The greatest original that a check reads, in bytes.
const MAX_READ: usize = 16 << 20;

/// A backend under check. Every failure names the check.
pub(super) struct Checker<'a, B> {
    pub(super) backend: &'a B,
    check: &'static str,
}

impl<'a, B: MediaBackend> Checker<'a, B> {
    pub(super) fn new(backend: &'a B, check: &'static str) -> Self {
        Self { backend, check }
    }

    #[track_caller]
    pub(super) fn fail(&self, what: impl fmt::Display) -> ! {
        panic!("conformance check `{}`: {what}", self.check)
    }

    #[track_caller]
    pub(super) fn holds(&self, holds: bool, otherwise: impl fmt::Display) {
        if !holds {
            self.fail(otherwise);
        }
    }

    #[track_caller]
    pub(super) fn equal<T, U>(&self, what: impl fmt::Display, found: T, expected: U)
    where
        T: PartialEq<U> + fmt::Debug,
        U: fmt::Debug,
    {
        let equal = found == expected;
        self.holds(equal, format_args!("{what}: expected {expected:?}, found {found:?}"));
    }

    /// Compares sets, and shows only the difference.
    #[track_caller]
    pub(super) fn same_ids<'i>(
        &self,
        what: impl fmt::Display,
        found: &BTreeSet<MediaId>,
        expected: impl IntoIterator<Item = &'i MediaId>,
    ) {
        let expected: BTreeSet<MediaId> = expected.into_iter().cloned().collect();
        let missing: Vec<_> = expected.difference(found).take(3).collect();
        let surplus: Vec<_> = found.difference(&expected).take(3).collect();
        let same = missing.is_empty() && surplus.is_empty();
        self.holds(same, format_args!("{what}: missing {missing:?}…, surplus {surplus:?}…"));
    }

    #[track_caller]
    pub(super) fn ok<T>(&self, call: impl fmt::Display, result: Result<T>) -> T {
        result.unwrap_or_else(|error| self.fail(format_args!("{call} failed: {error:?}")))
    }

    #[track_caller]
    pub(super) fn fails<T>(&self, call: impl fmt::Display, result: Result<T>, kind: ErrorKind) {
        let found = result.err().map(|error| error.kind());
        self.equal(format_args!("the error of {call}"), found, Some(kind));
    }

    /// Returns whether a call failed because the backend does not support tenants.
    pub(super) fn refuses_tenant<T>(&self, owner: &Owner, result: &Result<T>) -> bool {
        owner.tenant().is_some() && is_unsupported(result)
    }

    pub(super) async fn upload(&self, owner: &Owner, upload: Upload) -> Media {
        self.ok("an upload", self.backend.upload(owner, upload).await)
    }

    /// Uploads a new image.
    pub(super) async fn upload_new(&self, owner: &Owner, scope: &str) -> Media {
        self.upload(owner, Upload::new(new_image()).scope(scope)).await
    }

    pub(super) async fn delete(&self, owner: &Owner, id: &MediaId) -> bool {
        self.ok("a deletion", self.backend.delete(owner, id).await)
    }

    /// Deletes from one scope. Returns `None` if the backend does not support it.
    pub(super) async fn delete_from_scope(
        &self,
        owner: &Owner,
        id: &MediaId,
        scope: &str,
    ) -> Option<bool> {
        let scope = Scope::new(scope).expect("the checks name valid scopes");
        let deleted = self.backend.delete_from_scope(owner, id, &scope).await;
        (!is_unsupported(&deleted)).then(|| self.ok("a deletion from a scope", deleted))
    }

    /// Returns which of `ids` the owner owns. Every check that asks also checks that the answer contains
    /// no other id.
    pub(super) async fn owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[impl Borrow<MediaId>],
    ) -> BTreeSet<MediaId> {
        let ids: Vec<MediaId> = ids.iter().map(|id| id.borrow().clone()).collect();
        let question = OwnershipQuestion::new(owner, scopes, &ids);
        let answer = self.ok("an ownership query", self.backend.owned(&question).await);
        let surplus = answer.iter().find(|id| !ids.contains(id));
        self.equal("an id of the answer that is not in the query", surplus, None);
        answer.into_iter().collect()
    }

    pub(super) async fn owns(&self, owner: &Owner, scopes: &Scopes, id: &MediaId) -> bool {
        !self.owned(owner, scopes, &[id]).await.is_empty()
    }

    /// Checks in which scopes the owner owns an id.
    pub(super) async fn is_owned_in<const N: usize>(
        &self,
        owner: &Owner,
        id: &MediaId,
        expected: [(&str, bool); N],
    ) {
        for (scope, owned) in expected {
            let found = self.owns(owner, &scopes([scope]), id).await;
            self.equal(format_args!("ownership in scope {scope}"), found, owned);
        }
    }

    /// Returns all records of a list, page by page.
    pub(super) async fn list(&self, owner: &Owner, options: ListOptions) -> Vec<Media> {
        let mut all = Vec::new();
        let mut next_page = options.clone();
        loop {
            let page = self.ok("a list", self.backend.list(owner, &next_page).await);
            self.holds(page.items.len() <= next_page.limit(), "a page exceeds its limit");
            let progress = !page.items.is_empty() || page.next.is_none();
            self.holds(progress, "an empty page has a next page");
            all.extend(page.items);
            match page.next {
                Some(next) => next_page = options.clone().with_after(next),
                None => return all,
            }
        }
    }

    /// Returns the ids of a list, and checks that each is listed once.
    pub(super) async fn list_ids(&self, owner: &Owner, options: ListOptions) -> BTreeSet<MediaId> {
        let listed = self.list(owner, options).await;
        let count = listed.len();
        let ids: BTreeSet<MediaId> = listed.into_iter().map(|media| media.id).collect();
        self.equal("the number of distinct listed records", ids.len(), count);
        ids
    }

    pub(super) async fn stats(&self, owner: &Owner) -> MediaStats {
        self.ok("the stats", self.backend.stats(owner).await)
    }

    /// Checks that the owner has exactly this media, by list, ownership and stats.
    pub(super) async fn has<M: Borrow<Media>>(&self, owner: &Owner, media: &[M]) {
        let media: Vec<&Media> = media.iter().map(Borrow::borrow).collect();
        let ids: Vec<&MediaId> = media.iter().map(|media| &media.id).collect();
        let listed = self.list_ids(owner, ListOptions::new()).await;
        self.same_ids("the list of the owner", &listed, ids.iter().copied());
        let owned = self.owned(owner, &Scopes::any(), &ids).await;
        self.same_ids("the ownership of the owner", &owned, ids);
        let bytes = media.iter().map(|media| media.size).sum();
        let stats = MediaStats::new(media.len() as u64, bytes);
        self.equal("the stats of the owner", self.stats(owner).await, stats);
    }

    pub(super) async fn has_nothing(&self, owner: &Owner) {
        self.has::<Media>(owner, &[]).await;
    }

    /// Reads the type and the bytes of an original.
    pub(super) async fn read(&self, id: &MediaId) -> (String, Bytes) {
        let download = self.backend.download(id, &Rendition::Original.into()).await;
        let download = self.ok("a download of an original", download);
        let content_type = download.content_type().to_owned();
        (content_type, self.ok("reading an original", download.into_bytes(MAX_READ).await))
    }

    /// Checks that an id has neither a record nor bytes.
    pub(super) async fn is_unknown(&self, id: &MediaId) {
        self.fails("getting unknown media", self.backend.get(id).await, ErrorKind::NotFound);
        for rendition in [Rendition::Original, Rendition::png(8)] {
            let download = self.backend.download(id, &rendition.into()).await;
            self.fails("a download of unknown media", download, ErrorKind::NotFound);
        }
    }
}

/// Returns an owner that no other check has.
pub(super) fn new_owner() -> Owner {
    Owner::new(unique()).expect("a UUID is a subject")
}

pub(super) fn scopes<const N: usize>(names: [&str; N]) -> Scopes {
    Scopes::of(names).expect("the checks name valid scopes")
}

/// Returns unique text.
pub(super) fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Returns a unique image, so that backends that store only images can be checked as well.
pub(super) fn new_image() -> Bytes {
    image(unique().as_bytes())
}

/// Returns a GIF of one pixel, with a comment of any length.
pub(super) fn image(comment: &[u8]) -> Bytes {
    const HEAD: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x21\xfe";
    const PIXEL: &[u8] = b"\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
    let mut gif = HEAD.to_vec();
    for block in comment.chunks(255) {
        gif.push(block.len() as u8);
        gif.extend_from_slice(block);
    }
    gif.extend_from_slice(PIXEL);
    gif.into()
}

pub(super) fn is_unsupported<T>(result: &Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported)
}

/// Returns whether a backend refused what it does not store or make. An outage is not a refusal.
pub(super) fn is_refusal(error: &Error) -> bool {
    use ErrorKind::{Failed, InvalidInput, NotFound, Unsupported};
    matches!(error.kind(), Unsupported | InvalidInput | Failed | NotFound)
}
