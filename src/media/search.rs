//! Searches an owner's media, with filters and a sort order.

use std::{
    cmp::Ordering,
    time::{SystemTime, UNIX_EPOCH},
};

use super::listing::MAX_LIMIT;
use crate::{
    media::{Media, MediaStatus},
    owner::Scopes,
};

/// The filters and the order of a search: those of the media protocol's `list/all`. The results contain only
/// media with the status [`Ready`](MediaStatus::Ready).
///
/// # Default
///
/// All scopes and types, newest first, 50 records a page.
///
/// ```
/// use tower_media::media::{SearchOptions, SortBy};
///
/// let largest = SearchOptions::new().with_mime_type("image/*").with_sort(SortBy::Size, false);
/// assert_eq!((largest.limit(), largest.offset()), (50, 0));
/// assert_eq!(SearchOptions::new().with_limit(10_000).limit(), 500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it is passed to `MediaState::search`"]
pub struct SearchOptions {
    scopes: Scopes,
    mime_type: Option<String>,
    from: Option<SystemTime>,
    to: Option<SystemTime>,
    has_location: bool,
    sort_by: SortBy,
    ascending: bool,
    limit: usize,
    offset: usize,
}

/// The sort key of [`SearchOptions`]. Records without the value are first, or last if ascending. Records with
/// equal values are sorted by upload time, newest first, or last if ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SortBy {
    /// The time of the upload.
    #[default]
    CreatedAt,
    /// The time of the exposure in the EXIF data.
    DateTaken,
    /// The size of the original.
    Size,
}

impl SortBy {
    /// All sort keys.
    pub const ALL: [Self; 3] = [Self::CreatedAt, Self::DateTaken, Self::Size];

    /// Returns the name in queries of the media protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "createdAt",
            Self::DateTaken => "dateTaken",
            Self::Size => "size",
        }
    }
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            scopes: Scopes::any(),
            mime_type: None,
            from: None,
            to: None,
            has_location: false,
            sort_by: SortBy::default(),
            ascending: false,
            limit: 50,
            offset: 0,
        }
    }
}

impl SearchOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Searches only media that is owned in one of these scopes.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Searches only this MIME type, exactly as it is stored, or a group of types such as `image/*`.
    pub fn with_mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Searches only media that was uploaded at this time or later. Times are compared in whole milliseconds,
    /// the precision of records.
    pub fn with_from(mut self, from: SystemTime) -> Self {
        self.from = Some(from);
        self
    }

    /// Searches only media that was uploaded at this time or earlier. Times are compared in whole
    /// milliseconds, the precision of records. Some media services compare with a higher precision; the time
    /// of a record then excludes that record.
    pub fn with_to(mut self, to: SystemTime) -> Self {
        self.to = Some(to);
        self
    }

    /// Searches only images with a GPS position.
    pub fn with_location(mut self) -> Self {
        self.has_location = true;
        self
    }

    /// Sets the order.
    pub fn with_sort(mut self, by: SortBy, ascending: bool) -> Self {
        (self.sort_by, self.ascending) = (by, ascending);
        self
    }

    /// Sets the number of records on a page, clamped to 1–500.
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, MAX_LIMIT);
        self
    }

    /// Sets the number of records to skip.
    pub fn with_offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    /// Returns the scopes.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Returns the MIME type, or a group of types that ends in `/*`.
    pub fn mime_type(&self) -> Option<&str> {
        self.mime_type.as_deref()
    }

    /// Returns the earliest upload time.
    pub fn from(&self) -> Option<SystemTime> {
        self.from
    }

    /// Returns the latest upload time.
    pub fn to(&self) -> Option<SystemTime> {
        self.to
    }

    /// Returns whether the search is restricted to images with a GPS position.
    pub fn has_location(&self) -> bool {
        self.has_location
    }

    /// Returns the sort key.
    pub fn sort_by(&self) -> SortBy {
        self.sort_by
    }

    /// Returns whether the order is ascending.
    pub fn is_ascending(&self) -> bool {
        self.ascending
    }

    /// Returns the number of records on a page.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the number of records to skip.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Returns whether a record passes all filters except the scopes, which a record does not contain.
    pub(crate) fn matches(&self, media: &Media) -> bool {
        let created = millis(media.created_at);
        let exif = media.exif.as_ref();
        media.status == MediaStatus::Ready
            && self.type_filter().is_none_or(|types| types.matches(&media.mime_type))
            && self.from.is_none_or(|from| millis(from) <= created)
            && self.to.is_none_or(|to| created <= millis(to))
            && (!self.has_location
                || exif.is_some_and(|e| e.gps_latitude.is_some() && e.gps_longitude.is_some()))
    }

    pub(crate) fn type_filter(&self) -> Option<TypeFilter<'_>> {
        let asked = self.mime_type()?;
        let kind = asked.strip_suffix('*').filter(|kind| kind.ends_with('/'));
        Some(kind.map_or(TypeFilter::Exactly(asked), TypeFilter::Kind))
    }

    /// Sorts the records that [match](Self::matches), given newest first, and returns the page.
    pub(crate) fn page_of(&self, mut matching: Vec<Media>) -> SearchPage {
        if self.ascending {
            matching.reverse();
        }
        matching.sort_by(|a, b| {
            let order = self.compare(a, b);
            if self.ascending { order } else { order.reverse() }
        });
        let total = matching.len();
        let items: Vec<_> = matching.into_iter().skip(self.offset).take(self.limit).collect();
        SearchPage::new(items, total as u64, self.offset)
    }

    fn compare(&self, a: &Media, b: &Media) -> Ordering {
        fn taken(media: &Media) -> Option<&str> {
            media.exif.as_ref()?.date_taken.as_deref()
        }
        match self.sort_by {
            SortBy::CreatedAt => millis(a.created_at).cmp(&millis(b.created_at)),
            SortBy::Size => a.size.cmp(&b.size),
            SortBy::DateTaken => match (taken(a), taken(b)) {
                (Some(a), Some(b)) => a.cmp(b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            },
        }
    }
}

/// A page of search results.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SearchPage {
    /// The records.
    pub items: Vec<Media>,
    /// The number of records on all pages.
    pub total: u64,
    /// `true` if another page follows.
    pub has_more: bool,
}

impl SearchPage {
    /// Creates the page after `offset` records of `total`, for backends.
    pub fn new(items: Vec<Media>, total: u64, offset: usize) -> Self {
        let has_more = (offset as u64).saturating_add(items.len() as u64) < total;
        Self { items, total, has_more }
    }
}

/// Returns the milliseconds since 1970, negative before.
fn millis(time: SystemTime) -> i64 {
    let whole = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

/// A filter of MIME types.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TypeFilter<'a> {
    Exactly(&'a str),
    /// All types with this prefix, such as `image/`.
    Kind(&'a str),
}

impl TypeFilter<'_> {
    fn matches(self, mime_type: &str) -> bool {
        match self {
            Self::Exactly(asked) => mime_type == asked,
            Self::Kind(kind) => mime_type.starts_with(kind),
        }
    }
}
