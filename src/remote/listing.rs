//! The service's sorted list, page by page, and what can be counted with it.

use futures_util::{Stream, stream};

use super::Remote;
use crate::protocol::decode;
use crate::{
    error::{Error, ErrorKind, Result},
    media::{ListOptions, MediaStats, Page, SearchOptions, SearchPage},
    owner::Owner,
};

/// How many records a page of a count holds.
const COUNT_PAGE: usize = 500;

/// What stands before a cursor of the service in the name of a page, where otherwise an offset is.
const CURSOR: &str = "after:";

/// A list as the service's query.
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

/// Whether to ask for the next page. One that is empty although there is more would be asked for
/// without end.
fn goes_on(page: &SearchPage) -> bool {
    page.has_more && !page.items.is_empty()
}

impl Remote {
    /// Lists an owner's media that is ready, with all that the service can filter and sort by.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for an owner in a tenant, and those of a call to the service.
    pub async fn list_all(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        let query = query(options, self.user_id(owner)?);
        let page: decode::SearchOptions<decode::Record> = self.list_by(&query).await?;
        let items = page.items.into_iter().map(|record| record.into_media(&self.public));
        Ok(SearchPage {
            items: items.collect::<Result<_>>()?,
            total: page.total,
            has_more: page.has_more,
        })
    }

    /// Goes through [`list_all`](Self::list_all) page by page, from the options' offset on.
    ///
    /// The service gives records with equal sort keys in no defined order, so one may come twice or
    /// not at all where pages meet; sort by [`SortBy::CreatedAt`](crate::media::SortBy::CreatedAt), whose ties are rare.
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
            let next = goes_on(&page).then_some(options);
            Ok(Some((page, next)))
        })
    }

    pub(super) async fn list_page(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        let (offset, cursor) = place(options.after())?;
        let list = SearchOptions::new()
            .with_scopes(options.scopes().clone())
            .with_limit(options.limit())
            .with_offset(offset);
        let query = query(&list, self.user_id(owner)?);
        // The recorded service passes this over, and what knows it answers with a cursor.
        let after = form_urlencoded::byte_serialize(cursor.unwrap_or_default().as_bytes());
        let query = format!("{query}&after={}", after.collect::<String>());
        let page: decode::ListAfter = self.list_by(&query).await?;
        let count = page.items.len();
        let items = page.items.into_iter().map(|record| record.into_media(&self.public));
        let items = items.collect::<Result<_>>()?;
        let next = match (page.next, cursor) {
            (Some(next), _) => next.map(|cursor| format!("{CURSOR}{cursor}")),
            // An empty page although there is more would be asked for without end.
            (None, None) => (page.has_more && count > 0).then(|| (offset + count).to_string()),
            (None, Some(_)) => {
                let what = "the media service does not know the cursor that it gave out";
                return Err(Error::new(ErrorKind::Unexpected, what));
            }
        };
        Ok(Page::new(items, next))
    }

    async fn list_by<T: serde::de::DeserializeOwned>(&self, query: &str) -> Result<T> {
        let mut url = self.client.url(&["list", "all"]);
        url.set_query(Some(query));
        let response = self.client.send("list_all", || self.client.http.get(url.clone())).await?;
        self.client.json(response).await
    }

    /// Counts by listing: the service's own statistics are out of order.
    pub(super) async fn count(&self, owner: &Owner) -> Result<MediaStats> {
        let all = ListOptions::new().with_limit(COUNT_PAGE);
        let (mut sum, mut asked) = (MediaStats::default(), all.clone());
        loop {
            let page = self.list_page(owner, &asked).await?;
            let bytes: u64 = page.items.iter().map(|media| media.size).sum();
            sum = MediaStats::new(sum.count + page.items.len() as u64, sum.bytes + bytes);
            let Some(next) = page.next else { return Ok(sum) };
            asked = all.clone().with_after(next);
        }
    }
}

/// Where a page begins: behind so many records, or behind a cursor of the service.
fn place(after: Option<&str>) -> Result<(usize, Option<&str>)> {
    let Some(next) = after else { return Ok((0, None)) };
    if let Some(cursor) = next.strip_prefix(CURSOR) {
        return Ok((0, Some(cursor)));
    }
    match next.parse() {
        Ok(offset) if offset != 0 && next == usize::to_string(&offset) => Ok((offset, None)),
        _ => Err(Error::new(ErrorKind::InvalidInput, "no page ended with that")),
    }
}
