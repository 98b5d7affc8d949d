//! What a row says.

use std::time::SystemTime;

use crate::{
    id::{ContentHash, MediaId},
    media::{Exif, MediaStatus, Metadata},
    owner::{Owner, Scope},
};

/// What is to be known of an upload.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) owner: Owner,
    pub(crate) scope: Scope,
    pub(crate) hash: ContentHash,
    pub(crate) size: u64,
    pub(crate) mime_type: String,
    pub(crate) file_name: Option<String>,
    pub(crate) status: MediaStatus,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) exif: Option<Exif>,
}

/// What is known of one owner's media.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: MediaId,
    pub(crate) owner: Owner,
    pub(crate) hash: ContentHash,
    pub(crate) size: u64,
    pub(crate) mime_type: String,
    pub(crate) file_name: Option<String>,
    pub(crate) status: MediaStatus,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) exif: Option<Exif>,
    /// In whole milliseconds.
    pub(crate) created_at: SystemTime,
}

/// A page of rows, and the token of the next one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    pub(crate) rows: Vec<Row>,
    pub(crate) next: Option<String>,
}

/// A page of a search, and how many rows there are on all of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matches {
    pub(crate) rows: Vec<Row>,
    pub(crate) total: u64,
}

/// Bytes that somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) hash: ContentHash,
    pub(crate) size: u64,
}

/// A stored rendition of one row. Renditions are never shared between rows (promise P15).
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
