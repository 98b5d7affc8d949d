//! Queries the service for ownership until the answer is certain.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use tokio::time::Instant;

use super::{
    call::Call,
    client::{Client, MAX_LIST},
    response::SendError,
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    owner::{Owner, Scope, Scopes},
    ownership::cache::QueryResult,
    protocol::{ListRow, OffsetPage, OwnedQuery, OwnedResponse},
};

/// The number of ids in one request to `/owned`.
const CHUNK: usize = 500;

/// The limit of the first list, the same as in the service's own client.
const FIRST_LIMIT: usize = 500;

/// The number of scopes that are listed concurrently.
const CONCURRENT: usize = 4;

/// The time without requests to `/owned` after the service did not have the route.
const FALLBACK_PERIOD: Duration = Duration::from_secs(60);

/// Queries ownership through `POST /owned`, or through lists if the service does not have it.
#[derive(Debug)]
pub(super) struct OwnershipClient {
    client: Arc<Client>,
    max_rows: usize,
    /// The end of the time without requests to `/owned`.
    lists_until: Mutex<Option<Instant>>,
}

impl OwnershipClient {
    pub(super) fn new(client: Arc<Client>, max_rows: usize) -> Self {
        Self { client, max_rows, lists_until: Mutex::new(None) }
    }

    pub(super) async fn query(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
    ) -> Result<QueryResult> {
        if !self.uses_lists() {
            if let Some(result) = self.query_owned(owner, scopes, ids).await? {
                return Ok(result);
            }
            *self.lists_until.lock() = Some(Instant::now() + FALLBACK_PERIOD);
        }
        self.query_lists(owner, scopes, ids).await
    }

    fn uses_lists(&self) -> bool {
        let until = *self.lists_until.lock();
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Sends exactly these ids to `/owned`. Returns `None` if the service does not have that route.
    async fn query_owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
    ) -> Result<Option<QueryResult>> {
        let mut owned = HashSet::new();
        for chunk in ids.chunks(CHUNK) {
            let query = OwnedQuery {
                user_id: owner.subject().into(),
                apps: scopes
                    .as_slice()
                    .map(|scopes| scopes.iter().map(|scope| scope.as_str().into()).collect()),
                ids: chunk.iter().map(|id| id.as_str().into()).collect(),
            };
            let body = Bytes::from(serde_json::to_vec(&query).expect("strings serialize"));
            let request = || {
                let request = self.client.request(Method::POST, &["owned"]).body(body.clone());
                request.header(CONTENT_TYPE, "application/json")
            };
            let reply = match self.client.send("owned", request).await {
                Ok(reply) => reply,
                // 404 without the route, 405 where the route `/{id}` matches instead.
                Err(SendError::Status(response))
                    if matches!(
                        response.status,
                        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                    ) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
            let call = reply.call;
            let response: OwnedResponse<'static> = self.client.json(reply).await?;
            let sent: HashMap<&str, &MediaId> = chunk.iter().map(|id| (id.as_str(), id)).collect();
            for id in response.owned {
                let id = *sent.get(&*id).ok_or_else(|| {
                    let what = "the media service reported an id that was not in the query";
                    call.error(ErrorKind::Unexpected, what)
                })?;
                owned.insert(id.clone());
            }
        }
        Ok(Some(QueryResult { owned, complete: false, listed: false, undecided: None }))
    }

    async fn query_lists(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
    ) -> Result<QueryResult> {
        let started = Instant::now();
        let lists: Vec<Option<Scope>> = match scopes.as_slice() {
            Some(scopes) => scopes.iter().cloned().map(Some).collect(),
            None => vec![None],
        };
        let wanted: &HashSet<&str> = &ids.iter().map(MediaId::as_str).collect();
        let results: Vec<QueryResult> = stream::iter(lists)
            .map(|scope| async move { self.query_list(owner, scope.as_ref(), wanted).await })
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await?;
        let mut all = QueryResult { complete: true, listed: true, ..QueryResult::default() };
        for result in results {
            all.owned.extend(result.owned);
            all.complete &= result.complete;
        }
        if !all.complete && !ids.iter().all(|id| all.owned.contains(id)) {
            all.undecided = Some(self.too_many_rows(owner, started.elapsed()));
        }
        Ok(all)
    }

    /// Lists one scope, with a limit that grows until the list has all wanted ids or all rows.
    async fn query_list(
        &self,
        owner: &Owner,
        scope: Option<&Scope>,
        wanted: &HashSet<&str>,
    ) -> Result<QueryResult> {
        let mut limit = FIRST_LIMIT.min(self.max_rows);
        let mut before = 0;
        loop {
            let (call, body) = self.list(owner, scope, limit).await?;
            let rows: Vec<ListRow<'_>> = call.parse(&body)?;
            // An invalid id cannot be among the wanted ones.
            let owned: HashSet<MediaId> =
                rows.iter().filter_map(|row| MediaId::from_trusted(&row.id).ok()).collect();
            if wanted.iter().all(|id| owned.contains(*id)) {
                return Ok(QueryResult { owned, complete: false, listed: true, undecided: None });
            }
            // The service may cap its lists below the limit.
            let count = rows.len();
            let last = limit >= self.max_rows || count < limit && count == before;
            let complete =
                count == 0 || (count < limit || last) && self.is_all(owner, scope, &rows).await?;
            // With too many rows in this scope, the other scopes may still have the ids.
            if complete || last {
                return Ok(QueryResult { owned, complete, listed: true, undecided: None });
            }
            (before, limit) = (count, limit.saturating_mul(10).min(self.max_rows));
        }
    }

    async fn list(
        &self,
        owner: &Owner,
        scope: Option<&Scope>,
        limit: usize,
    ) -> Result<(Call, Bytes)> {
        let mut url = self.client.url(&[]);
        url.query_pairs_mut().append_pair("userId", owner.subject());
        if let Some(scope) = scope {
            url.query_pairs_mut().append_pair("app", scope.as_str());
        }
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        let reply = self.client.send("list", || self.client.http.get(url.clone())).await?;
        Ok((reply.call, self.client.body_up_to(MAX_LIST, reply).await?))
    }

    /// Returns whether the rows are complete, by the service's own count of distinct ready media.
    async fn is_all(
        &self,
        owner: &Owner,
        scope: Option<&Scope>,
        rows: &[ListRow<'_>],
    ) -> Result<bool> {
        let mut url = self.client.url(&["list", "all"]);
        url.query_pairs_mut().append_pair("userId", owner.subject()).append_pair("limit", "1");
        if let Some(scope) = scope {
            url.query_pairs_mut().append_pair("apps", scope.as_str());
        }
        let reply = self.client.send("list_all", || self.client.http.get(url.clone())).await?;
        let page: OffsetPage<serde::de::IgnoredAny> = self.client.json(reply).await?;
        let ready = rows.iter().filter(|row| row.status == "ready").map(|row| &row.id);
        Ok(page.total <= ready.collect::<HashSet<_>>().len() as u64)
    }

    fn too_many_rows(&self, owner: &Owner, elapsed: Duration) -> Error {
        let max_rows = self.max_rows;
        tracing::error!(?owner, max_rows, "ownership is undecided: the owner has too many rows");
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "ownership is undecided: the owner has more than {max_rows} rows, or the media \
                 service caps its lists (operation `list`, {elapsed:.1?})"
            ),
        )
    }
}
