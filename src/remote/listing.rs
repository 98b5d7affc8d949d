//! The service's sorted list, page by page, and what can be counted with it.

use futures_util::{Stream, TryStreamExt as _, stream};

use super::{Remote, wire};
use crate::{
    error::{Error, ErrorKind, Result},
    list::{ListOptions, MediaStats, Page},
    media::Media,
    owner::{Owner, Scopes},
};

/// How many records a page of a count holds.
const COUNT_PAGE: usize = 500;

/// What to list, in which order: all that the service's `list/all` knows. Only media that is ready is
/// in it.
///
/// # Default
///
/// All scopes and types, newest first, 50 a page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it is passed to `Remote::list_all`"]
pub struct ListAll {
    scopes: Scopes,
    mime_type: Option<String>,
    from: Option<std::time::SystemTime>,
    to: Option<std::time::SystemTime>,
    has_location: bool,
    sort_by: SortBy,
    ascending: bool,
    limit: usize,
    offset: usize,
}

/// What [`ListAll`] sorts by. What has no such value comes first, or last if ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SortBy {
    /// When it was uploaded.
    #[default]
    CreatedAt,
    /// When the camera says it was taken.
    DateTaken,
    /// Bytes of the original.
    Size,
}

impl Default for ListAll {
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

impl ListAll {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists only what is owned in one of these scopes.
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Lists only this MIME type, exactly as it is stored, or all of a kind with `image/*`.
    pub fn with_mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Lists only what was uploaded at this time or later.
    pub fn with_from(mut self, from: std::time::SystemTime) -> Self {
        self.from = Some(from);
        self
    }

    /// Lists only what was uploaded at this time or earlier. The service cuts times to milliseconds
    /// when it shows them and not when it compares, so the time of a record excludes that record.
    pub fn with_to(mut self, to: std::time::SystemTime) -> Self {
        self.to = Some(to);
        self
    }

    /// Lists only pictures that tell where they were taken.
    pub fn with_location(mut self) -> Self {
        self.has_location = true;
        self
    }

    /// Sets the order.
    pub fn with_sort(mut self, by: SortBy, ascending: bool) -> Self {
        (self.sort_by, self.ascending) = (by, ascending);
        self
    }

    /// Sets how many records a page holds, clamped to 1–500.
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, COUNT_PAGE);
        self
    }

    /// Skips that many records.
    pub fn with_offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    fn query(&self, user_id: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("userId", user_id);
        if let Some(scopes) = self.scopes.as_slice() {
            let names: Vec<&str> = scopes.iter().map(crate::owner::Scope::as_str).collect();
            query.append_pair("apps", &names.join(","));
        }
        if let Some(mime_type) = &self.mime_type {
            query.append_pair("mimeType", mime_type);
        }
        for (name, time) in [("dateFrom", self.from), ("dateTo", self.to)] {
            if let Some(time) = time.and_then(|time| jiff::Timestamp::try_from(time).ok()) {
                query.append_pair(name, &format!("{time:.3}"));
            }
        }
        if self.has_location {
            query.append_pair("hasLocation", "true");
        }
        let sort_by = match self.sort_by {
            SortBy::CreatedAt => "createdAt",
            SortBy::DateTaken => "dateTaken",
            SortBy::Size => "size",
        };
        query
            .append_pair("sortBy", sort_by)
            .append_pair("sortOrder", if self.ascending { "asc" } else { "desc" })
            .append_pair("limit", &self.limit.to_string())
            .append_pair("offset", &self.offset.to_string());
        query.finish()
    }
}

/// A page of [`Remote::list_all`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ListPage {
    /// The records.
    pub items: Vec<Media>,
    /// How many records there are on all pages.
    pub total: u64,
    /// Whether there are pages behind this one.
    pub has_more: bool,
}

impl ListPage {
    /// Whether to ask for the next page. One that is empty although there is more would be asked for
    /// without end.
    fn goes_on(&self) -> bool {
        self.has_more && !self.items.is_empty()
    }
}

impl Remote {
    /// Lists an owner's media that is ready, with all that the service can filter and sort by.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for an owner in a tenant, and those of a call to the service.
    pub async fn list_all(&self, owner: &Owner, options: &ListAll) -> Result<ListPage> {
        let mut url = self.client.url(&["list", "all"]);
        url.set_query(Some(&options.query(self.user_id(owner)?)));
        let response = self.client.send("list_all", || self.client.http.get(url.clone())).await?;
        let page: wire::ListAll<wire::Record> = self.client.json(response).await?;
        let items = page.items.into_iter().map(|record| record.into_media(&self.public));
        Ok(ListPage {
            items: items.collect::<Result<_>>()?,
            total: page.total,
            has_more: page.has_more,
        })
    }

    /// Goes through [`list_all`](Self::list_all) page by page, from the options' offset on.
    ///
    /// The service gives records with equal sort keys in no defined order, so one may come twice or
    /// not at all where pages meet; sort by [`SortBy::CreatedAt`], whose ties are rare.
    pub fn pages<'a>(
        &'a self,
        owner: &'a Owner,
        options: ListAll,
    ) -> impl Stream<Item = Result<ListPage>> + Send + 'a {
        stream::try_unfold(Some(options), move |options| async move {
            let Some(mut options) = options else { return Ok(None) };
            let page = self.list_all(owner, &options).await?;
            options.offset += page.items.len();
            let next = page.goes_on().then_some(options);
            Ok(Some((page, next)))
        })
    }

    pub(super) async fn list_page(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let unknown = || Error::new(ErrorKind::InvalidInput, "no page ended with that");
        let offset = match options.after() {
            None => 0,
            Some(next) => {
                let offset: usize = next.parse().map_err(|_| unknown())?;
                if offset == 0 || offset.to_string() != next {
                    return Err(unknown());
                }
                offset
            }
        };
        let list = ListAll::new()
            .with_scopes(options.scopes().clone())
            .with_limit(options.limit())
            .with_offset(offset);
        let page = self.list_all(owner, &list).await?;
        let next = page.goes_on().then(|| (offset + page.items.len()).to_string());
        Ok(Page::new(page.items, next))
    }

    /// Counts by listing: the service's own statistics are out of order.
    pub(super) async fn count(&self, owner: &Owner) -> Result<MediaStats> {
        self.pages(owner, ListAll::new().with_limit(COUNT_PAGE))
            .try_fold(MediaStats::default(), |sum, page| async move {
                let bytes: u64 = page.items.iter().map(|media| media.size).sum();
                Ok(MediaStats::new(sum.count + page.items.len() as u64, sum.bytes + bytes))
            })
            .await
    }
}
