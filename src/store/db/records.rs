//! Records of the database, independent of the engine.

use std::time::SystemTime;

use crate::{
    id::{ContentHash, MediaId},
    media::{Exif, FailureReason, MediaStats, MediaStatus, Metadata},
    owner::{Owner, Scope},
};

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
    pub(crate) hash: ContentHash,
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
