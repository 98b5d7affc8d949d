//! Lists and counts an owner's media.

use serde::Serialize;

use crate::{media::Media, owner::Scopes};

/// The scopes, page size and position of a listing.
///
/// # Default
///
/// All scopes, 50 records a page, the first page.
///
/// ```
/// use tower_media::{media::ListOptions, Scopes};
///
/// let options = ListOptions::new().with_scopes(Scopes::of(["me"])?).with_limit(10_000);
/// assert_eq!(options.limit(), 500);
/// # Ok::<_, tower_media::error::InvalidScope>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOptions {
    scopes: Scopes,
    limit: usize,
    after: Option<String>,
}

/// The greatest number of records on a page.
pub(super) const MAX_LIMIT: usize = 500;

impl Default for ListOptions {
    fn default() -> Self {
        Self { scopes: Scopes::any(), limit: 50, after: None }
    }
}

impl ListOptions {
    /// Creates the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists only media that is owned in one of these scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the number of records on a page, clamped to 1–500.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, MAX_LIMIT);
        self
    }

    /// Continues after the page with this [`Page::next`].
    #[must_use]
    pub fn with_after(mut self, next: impl Into<String>) -> Self {
        self.after = Some(next.into());
        self
    }

    /// Returns the scopes.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Returns the number of records on a page.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the token of the previous page.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }
}

/// A page of an owner's media, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// The records.
    pub items: Vec<Media>,
    /// The token of this page for [`ListOptions::with_after`]; `None` on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Page {
    /// Creates a page, for backends.
    pub fn new(items: Vec<Media>, next: Option<String>) -> Self {
        Self { items, next }
    }
}

/// The number and size of an owner's media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MediaStats {
    /// The number of media items.
    pub count: u64,
    /// The size of their originals in bytes.
    pub bytes: u64,
}

impl MediaStats {
    /// Creates statistics, for backends.
    pub fn new(count: u64, bytes: u64) -> Self {
        Self { count, bytes }
    }
}
