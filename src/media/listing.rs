//! Listing what an owner has, page by page, and counting it.

use serde::Serialize;

use crate::{media::Media, owner::Scopes};

/// Which of an owner's media to list, and how many at a time.
///
/// # Default
///
/// All scopes, 50 a page, from the newest on.
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

/// The longest page.
pub(super) const MAX_LIMIT: usize = 500;

impl Default for ListOptions {
    fn default() -> Self {
        Self { scopes: Scopes::any(), limit: 50, after: None }
    }
}

impl ListOptions {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists only what is owned in one of these scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets how many a page holds, clamped to 1–500.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, MAX_LIMIT);
        self
    }

    /// Goes on behind the page that gave this [`Page::next`].
    #[must_use]
    pub fn with_after(mut self, next: impl Into<String>) -> Self {
        self.after = Some(next.into());
        self
    }

    /// Returns the scopes.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Returns how many a page holds.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Returns where to go on.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }
}

/// Some of an owner's media, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// The records.
    pub items: Vec<Media>,
    /// What to pass to [`ListOptions::with_after`] for the next page; `None` on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Page {
    /// Makes a page, for backends.
    pub fn new(items: Vec<Media>, next: Option<String>) -> Self {
        Self { items, next }
    }
}

/// How much an owner has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MediaStats {
    /// ByteStream of media.
    pub count: u64,
    /// Bytes of their originals.
    pub bytes: u64,
}

impl MediaStats {
    /// Makes a count, for backends.
    pub fn new(count: u64, bytes: u64) -> Self {
        Self { count, bytes }
    }
}
