//! What the checks are made of: fresh owners, fresh bytes, and calls that must succeed.

use std::{borrow::Borrow, collections::BTreeSet, fmt};

use bytes::Bytes;

use crate::{
    backend::MediaBackend,
    error::{Error, ErrorKind, Result},
    id::MediaId,
    media::{ListOptions, Media, MediaStats, Rendition, Upload},
    owner::{Owner, Scopes},
    ownership::OwnershipQuestion,
};

/// The scope of uploads for which the scope does not matter.
pub(super) const SCOPE: &str = "conformance";

/// More than any check reads.
const MAX_READ: usize = 16 << 20;

/// A backend under check. Whatever fails here names the check.
pub(super) struct Lab<'a, B> {
    pub(super) backend: &'a B,
    check: &'static str,
}

impl<'a, B: MediaBackend> Lab<'a, B> {
    pub(super) fn new(backend: &'a B, check: &'static str) -> Self {
        Self { backend, check }
    }

    #[track_caller]
    pub(super) fn broken(&self, what: impl fmt::Display) -> ! {
        panic!("conformance check `{}`: {what}", self.check)
    }

    #[track_caller]
    pub(super) fn holds(&self, holds: bool, otherwise: impl fmt::Display) {
        if !holds {
            self.broken(otherwise);
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

    /// Like [`equal`](Self::equal) for sets, of which only the difference is worth showing.
    #[track_caller]
    pub(super) fn same_ids<'i>(
        &self,
        what: impl fmt::Display,
        found: &BTreeSet<MediaId>,
        expected: impl IntoIterator<Item = &'i MediaId>,
    ) {
        let expected: BTreeSet<MediaId> = expected.into_iter().cloned().collect();
        let lacking: Vec<_> = expected.difference(found).take(3).collect();
        let surplus: Vec<_> = found.difference(&expected).take(3).collect();
        let same = lacking.is_empty() && surplus.is_empty();
        self.holds(same, format_args!("{what}: lacks {lacking:?}…, has too many {surplus:?}…"));
    }

    #[track_caller]
    pub(super) fn ok<T>(&self, call: impl fmt::Display, result: Result<T>) -> T {
        result.unwrap_or_else(|error| self.broken(format_args!("{call} failed: {error:?}")))
    }

    #[track_caller]
    pub(super) fn fails<T>(&self, call: impl fmt::Display, result: Result<T>, kind: ErrorKind) {
        let found = result.err().map(|error| error.kind());
        self.equal(format_args!("the error of {call}"), found, Some(kind));
    }

    /// Whether a call failed because the backend knows no tenants, and says so.
    pub(super) fn refuses_tenant<T>(&self, owner: &Owner, result: &Result<T>) -> bool {
        let unsupported = |error: &Error| error.kind() == ErrorKind::Unsupported;
        owner.tenant().is_some() && result.as_ref().is_err_and(unsupported)
    }

    pub(super) async fn upload(&self, owner: &Owner, upload: Upload) -> Media {
        self.ok("an upload", self.backend.upload(owner, upload).await)
    }

    /// Uploads what nobody else has.
    pub(super) async fn upload_new(&self, owner: &Owner, scope: &str) -> Media {
        self.upload(owner, Upload::new(new_picture()).scope(scope)).await
    }

    pub(super) async fn delete(&self, owner: &Owner, id: &MediaId) -> bool {
        self.ok("a removal", self.backend.delete(owner, id).await)
    }

    /// Which of `ids` the owner owns. That the answer names no other is checked here, for every
    /// question of every check.
    pub(super) async fn owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[impl Borrow<MediaId>],
    ) -> BTreeSet<MediaId> {
        let ids: Vec<MediaId> = ids.iter().map(|id| id.borrow().clone()).collect();
        let question = OwnershipQuestion::new(owner, scopes, &ids);
        let answer = self.ok("an ownership question", self.backend.owned(&question).await);
        let surplus = answer.iter().find(|id| !ids.contains(id));
        self.equal("an id of the answer that was not asked for", surplus, None);
        answer.into_iter().collect()
    }

    pub(super) async fn owns(&self, owner: &Owner, scopes: &Scopes, id: &MediaId) -> bool {
        !self.owned(owner, scopes, &[id]).await.is_empty()
    }

    /// Everything that a listing gives, page by page.
    pub(super) async fn list(&self, owner: &Owner, options: ListOptions) -> Vec<Media> {
        let mut all = Vec::new();
        let mut asked = options.clone();
        loop {
            let page = self.ok("a listing", self.backend.list(owner, &asked).await);
            self.holds(page.items.len() <= asked.limit(), "a page exceeds its limit");
            let progress = !page.items.is_empty() || page.next.is_none();
            self.holds(progress, "an empty page says that there is another");
            all.extend(page.items);
            match page.next {
                Some(next) => asked = options.clone().with_after(next),
                None => return all,
            }
        }
    }

    /// The ids that an owner has, each of them listed once.
    pub(super) async fn list_ids(&self, owner: &Owner, options: ListOptions) -> BTreeSet<MediaId> {
        let listed = self.list(owner, options).await;
        let count = listed.len();
        let ids: BTreeSet<MediaId> = listed.into_iter().map(|media| media.id).collect();
        self.equal("the number of listed records without repeats", ids.len(), count);
        ids
    }

    pub(super) async fn stats(&self, owner: &Owner) -> MediaStats {
        self.ok("counting", self.backend.stats(owner).await)
    }

    /// Checks that the owner has these and no other, whoever is asked.
    pub(super) async fn has<M: Borrow<Media>>(&self, owner: &Owner, media: &[M]) {
        let media: Vec<&Media> = media.iter().map(Borrow::borrow).collect();
        let ids: Vec<&MediaId> = media.iter().map(|media| &media.id).collect();
        let listed = self.list_ids(owner, ListOptions::new()).await;
        self.same_ids("the list of the owner", &listed, ids.iter().copied());
        let owned = self.owned(owner, &Scopes::any(), &ids).await;
        self.same_ids("the answer to the owner", &owned, ids);
        let bytes = media.iter().map(|media| media.size).sum();
        let stats = MediaStats::new(media.len() as u64, bytes);
        self.equal("the stats of the owner", self.stats(owner).await, stats);
    }

    pub(super) async fn has_nothing(&self, owner: &Owner) {
        self.has::<Media>(owner, &[]).await;
    }

    /// The original's type and bytes.
    pub(super) async fn read(&self, id: &MediaId) -> (String, Bytes) {
        let download = self.backend.download(id, &Rendition::Original.into()).await;
        let download = self.ok("a download of an original", download);
        let content_type = download.content_type().to_owned();
        (content_type, self.ok("reading an original", download.into_bytes(MAX_READ).await))
    }

    /// Checks that neither record nor bytes of an id can be had.
    pub(super) async fn is_unknown(&self, id: &MediaId) {
        self.fails("getting unknown media", self.backend.get(id).await, ErrorKind::NotFound);
        for rendition in [Rendition::Original, Rendition::png(8)] {
            let download = self.backend.download(id, &rendition.into()).await;
            self.fails("a download of unknown media", download, ErrorKind::NotFound);
        }
    }
}

/// An owner whom nobody has heard of.
pub(super) fn new_owner() -> Owner {
    Owner::new(unique()).expect("a UUID is a subject")
}

pub(super) fn scopes<const N: usize>(names: [&str; N]) -> Scopes {
    Scopes::of(names).expect("the checks name valid scopes")
}

/// A text that nobody else has.
pub(super) fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A picture that nobody else has, so that backends for pictures only can be checked as well.
pub(super) fn new_picture() -> Bytes {
    picture(unique().as_bytes())
}

/// A GIF of one pixel and a comment, as long as one likes.
pub(super) fn picture(comment: &[u8]) -> Bytes {
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

/// How a backend may refuse what it does not keep or make, as opposed to not answering.
pub(super) fn is_refusal(error: &Error) -> bool {
    use ErrorKind::{Failed, InvalidInput, NotFound, Unsupported};
    matches!(error.kind(), Unsupported | InvalidInput | Failed | NotFound)
}
