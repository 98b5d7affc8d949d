//! Records of the database, independent of the engine.

use std::time::SystemTime;

use crate::{
    id::{ContentHash, MediaId},
    media::{Exif, FailureReason, MediaStats, MediaStatus, Metadata},
    owner::{Owner, Scope},
};

/// The part of an object key that tells the blobs of one content hash apart. No hash has the same generation
/// twice, so a delete that arrives late never hits a later upload (promise M1).
///
/// Random rather than counted, because a database that is restored from a backup would count again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Generation(i64);

impl Generation {
    /// Of blobs that were stored before there were generations. Never given to another blob.
    pub(crate) const UNNUMBERED: Self = Self(0);

    /// A new generation, from 1 to 2⁶³ − 1.
    pub(crate) fn random() -> Self {
        let (_, random) = uuid::Uuid::new_v4().as_u64_pair();
        // Without the variant of the UUID, which are its two highest bits.
        Self((random & (i64::MAX as u64) >> 1) as i64 + 1)
    }

    pub(crate) fn from_number(number: i64) -> Self {
        Self(number)
    }

    pub(crate) fn number(self) -> i64 {
        self.0
    }
}

/// A stored content: its hash and its generation, which together name one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BlobId {
    pub(crate) hash: ContentHash,
    pub(crate) generation: Generation,
}

/// An upload whose bytes are stored, to be inserted.
#[derive(Debug, Clone)]
pub(crate) struct NewMedia {
    pub(crate) owner: Owner,
    pub(crate) scope: Scope,
    pub(crate) hash: ContentHash,
    pub(crate) size: u64,
    pub(crate) mime_type: String,
    pub(crate) file_name: Option<String>,
    pub(crate) status: MediaStatus,
    pub(crate) failure_reason: Option<FailureReason>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) exif: Option<Exif>,
}

/// One media item of one owner.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MediaRow {
    pub(crate) id: MediaId,
    pub(crate) owner: Owner,
    pub(crate) hash: ContentHash,
    /// The generation of the content, which does not change while a row refers to it.
    pub(crate) generation: Generation,
    pub(crate) size: u64,
    pub(crate) mime_type: String,
    pub(crate) file_name: Option<String>,
    pub(crate) status: MediaStatus,
    pub(crate) failure_reason: Option<FailureReason>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) exif: Option<Exif>,
    /// In whole milliseconds.
    pub(crate) created_at: SystemTime,
}

impl MediaRow {
    /// The blob with the bytes of the original.
    pub(crate) fn blob(&self) -> BlobId {
        BlobId { hash: self.hash, generation: self.generation }
    }
}

/// One media item with everything that another database needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransferRow {
    pub(crate) media: MediaRow,
    /// The position among all media that the owner ever uploaded.
    pub(crate) arrival: i64,
    /// At least one, in the order of their texts.
    pub(crate) scopes: Vec<Scope>,
}

/// Result of [`TransferQueries::import`](super::TransferQueries::import).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Imported {
    /// The media is inserted, or was there.
    Done,
    /// Nothing is inserted, because the content no longer has this generation. See
    /// [`UploadQueries::insert`](super::UploadQueries::insert).
    Expired,
    /// Nothing is inserted, because the id belongs to other media, or the owner has the content under another
    /// id.
    Conflict,
}

/// An owner: the row number, the number of media ever uploaded, and the current totals.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OwnerRow {
    pub(crate) number: i64,
    pub(crate) arrivals: i64,
    pub(crate) stats: MediaStats,
    /// Number of media that are ready.
    pub(crate) ready: u64,
}

/// A page of rows, and the token of the next page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    pub(crate) rows: Vec<MediaRow>,
    pub(crate) next: Option<String>,
}

/// A page of a search, and the number of matches on all pages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matches {
    pub(crate) rows: Vec<MediaRow>,
    pub(crate) total: u64,
}

/// A blob that at least one media row refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlobRow {
    pub(crate) id: BlobId,
    pub(crate) size: u64,
}

/// A stored rendition of one media row. Renditions are never shared between rows (promise P15).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RenditionRow {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) hash: ContentHash,
    pub(crate) mime_type: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// In whole milliseconds, and up to an hour behind.
    pub(crate) used_at: SystemTime,
}
