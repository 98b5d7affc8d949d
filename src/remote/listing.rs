//! The service's sorted list, page by page, and statistics counted from it.

use futures_util::{Stream, stream};

use super::{Remote, call::Call};
use crate::{
    error::{Error, ErrorKind, Result},
    media::{ListOptions, MediaStats, Page, SearchOptions, SearchPage},
    owner::Owner,
    protocol::{CursorPage, OffsetPage, Record},
};

/// The page size for counting.
const COUNT_PAGE: usize = 500;

/// The prefix of a page token that holds a cursor of the service. Other tokens are offsets.
const CURSOR: &str = "after:";

/// The query string of `GET /list/all`.
fn query(options: &SearchOptions, user_id: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("userId", user_id);
    if let Some(scopes) = options.scopes().as_slice() {
        let names: Vec<&str> = scopes.iter().map(crate::owner::Scope::as_str).collect();
        query.append_pair("apps", &names.join(","));
    }
    if let Some(mime_type) = options.mime_type() {
        query.append_pair("mimeType", mime_type);
    }
    for (name, time) in [("dateFrom", options.from()), ("dateTo", options.to())] {
        if let Some(time) = time.and_then(|time| jiff::Timestamp::try_from(time).ok()) {
            query.append_pair(name, &format!("{time:.3}"));
        }
    }
    if options.has_location() {
        query.append_pair("hasLocation", "true");
    }
    query
        .append_pair("sortBy", options.sort_by().as_str())
        .append_pair("sortOrder", if options.is_ascending() { "asc" } else { "desc" })
        .append_pair("limit", &options.limit().to_string())
        .append_pair("offset", &options.offset().to_string());
    query.finish()
}

impl Remote {
    /// Lists an owner's media with status `ready`, with every filter and order of the service.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for an owner in a tenant, and the errors of a call to the service.
    pub async fn list_all(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        let query = query(options, self.user_id(owner)?);
        let (_, page): (_, OffsetPage<Record>) = self.list_by(&query).await?;
        let items = page.items.into_iter().map(|record| self.public_urls.media(record)).collect();
        Ok(SearchPage { items, total: page.total, has_more: page.has_more })
    }

    /// Streams the pages of [`list_all`](Self::list_all), starting at the options' offset.
    ///
    /// The order of records with equal sort keys is undefined, so such a record may be repeated or
    /// missing at a page boundary. Ties of [`SortBy::CreatedAt`](crate::media::SortBy::CreatedAt) are rare.
    pub fn pages<'a>(
        &'a self,
        owner: &'a Owner,
        options: SearchOptions,
    ) -> impl Stream<Item = Result<SearchPage>> + Send + 'a {
        stream::try_unfold(Some(options), move |options| async move {
            let Some(mut options) = options else { return Ok(None) };
            let page = self.list_all(owner, &options).await?;
            let next = options.offset() + page.items.len();
            options = options.with_offset(next);
            // An empty page that promises more would repeat for ever.
            let next = (page.has_more && !page.items.is_empty()).then_some(options);
            Ok(Some((page, next)))
        })
    }

    pub(super) async fn list_page(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let (offset, cursor) = parse_token(options.after())?;
        let list = SearchOptions::new()
            .with_scopes(options.scopes().clone())
            .with_limit(options.limit())
            .with_offset(offset);
        let query = query(&list, self.user_id(owner)?);
        // The original service ignores `after`; a service with cursors responds with one.
        let after = form_urlencoded::byte_serialize(cursor.unwrap_or_default().as_bytes());
        let query = format!("{query}&after={}", after.collect::<String>());
        let (call, page): (_, CursorPage) = self.list_by(&query).await?;
        let count = page.items.len();
        let items = page.items.into_iter().map(|record| self.public_urls.media(record)).collect();
        let next = match (page.next, cursor) {
            (Some(next), _) => next.map(|cursor| format!("{CURSOR}{cursor}")),
            // An empty page that promises more would repeat for ever.
            (None, None) => (page.has_more && count > 0).then(|| (offset + count).to_string()),
            (None, Some(_)) => {
                let what = "the media service ignored its own cursor";
                return Err(call.error(ErrorKind::Unexpected, what));
            }
        };
        Ok(Page::new(items, next))
    }

    async fn list_by<T: serde::de::DeserializeOwned>(&self, query: &str) -> Result<(Call, T)> {
        let mut url = self.client.url(&["list", "all"]);
        url.set_query(Some(query));
        let reply = self.client.send("list_all", || self.client.http.get(url.clone())).await?;
        Ok((reply.call, self.client.json(reply).await?))
    }

    /// Counts through the list, because `GET /stats` of the original service always fails.
    pub(super) async fn count(&self, owner: &Owner) -> Result<MediaStats> {
        let all = ListOptions::new().with_limit(COUNT_PAGE);
        let (mut sum, mut options) = (MediaStats::default(), all.clone());
        loop {
            let page = self.list_page(owner, &options).await?;
            let bytes: u64 = page.items.iter().map(|media| media.size).sum();
            sum = MediaStats::new(sum.count + page.items.len() as u64, sum.bytes + bytes);
            let Some(next) = page.next else { return Ok(sum) };
            options = all.clone().with_after(next);
        }
    }
}

/// Parses a page token: an offset, or a cursor of the service.
fn parse_token(after: Option<&str>) -> Result<(usize, Option<&str>)> {
    let Some(next) = after else { return Ok((0, None)) };
    if let Some(cursor) = next.strip_prefix(CURSOR) {
        return Ok((0, Some(cursor)));
    }
    match next.parse() {
        Ok(offset) if offset != 0 && next == usize::to_string(&offset) => Ok((offset, None)),
        _ => Err(Error::new(ErrorKind::InvalidInput, "unknown page token")),
    }
}
