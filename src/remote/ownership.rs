//! Asking the service who owns what, until the answer is certain.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use tokio::time::Instant;

use super::{
    client::{Client, MAX_LIST, Retry},
    ownership_cache::Answer,
    response::parse,
    upload_progress::Progress,
};
use crate::protocol::decode::{OwnedAnswer, OwnedQuestion, Row, SearchOptions};
use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    owner::{Owner, Scope, Scopes},
};

/// How many ids one question to `/owned` holds.
const CHUNK: usize = 500;

/// How many rows the first list asks for, as the service's own client does.
const FIRST_LIMIT: usize = 500;

/// How many scopes are listed at once.
const CONCURRENT: usize = 4;

/// How long it is believed that a server does not know `/owned`.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// Asks a service about ownership: by `POST /owned` where the service knows it, else by its lists.
#[derive(Debug)]
pub(super) struct Asker {
    client: Arc<Client>,
    max_rows: usize,
    /// Until when it is believed that the service does not know `/owned`.
    lists_until: Mutex<Option<Instant>>,
}

impl Asker {
    pub(super) fn new(client: Arc<Client>, max_rows: usize) -> Self {
        Self { client, max_rows, lists_until: Mutex::new(None) }
    }

    pub(super) async fn ask(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
    ) -> Result<Answer> {
        if !self.only_lists() {
            if let Some(answer) = self.ask_owned(owner, scopes, ids).await? {
                return Ok(answer);
            }
            *self.lists_until.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Instant::now() + ASK_AGAIN);
        }
        self.ask_lists(owner, scopes, ids).await
    }

    fn only_lists(&self) -> bool {
        let until = *self.lists_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Asks about exactly these ids. `None` from a server that does not know the question.
    async fn ask_owned(
        &self,
        owner: &Owner,
        scopes: &Scopes,
        ids: &[MediaId],
    ) -> Result<Option<Answer>> {
        let mut owned = HashSet::new();
        for chunk in ids.chunks(CHUNK) {
            let question = OwnedQuestion {
                user_id: owner.subject(),
                apps: scopes.as_slice().map(|scopes| scopes.iter().map(Scope::as_str).collect()),
                ids: chunk.iter().map(MediaId::as_str).collect(),
            };
            let body = Bytes::from(serde_json::to_vec(&question).expect("texts serialise"));
            let request = || {
                let request = self.client.request(Method::POST, &["owned"]).body(body.clone());
                (request.header(CONTENT_TYPE, "application/json"), Progress::default())
            };
            let response = match self.client.send_any("owned", Retry::Transient, request).await? {
                Ok(response) => response,
                // The recorded service has no such route; one with `/{id}` routes may take it for an
                // id that only GET knows.
                Err(refusal)
                    if matches!(
                        refusal.status,
                        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                    ) =>
                {
                    return Ok(None);
                }
                Err(refusal) => return Err(refusal.into()),
            };
            let body = self.client.body(response).await?;
            owned.extend(parse::<OwnedAnswer<'_>>(&body)?.among(chunk)?);
        }
        Ok(Some(Answer { owned, complete: false, listed: false, unsettled: None }))
    }

    async fn ask_lists(&self, owner: &Owner, scopes: &Scopes, ids: &[MediaId]) -> Result<Answer> {
        let lists: Vec<Option<Scope>> = match scopes.as_slice() {
            Some(scopes) => scopes.iter().cloned().map(Some).collect(),
            None => vec![None],
        };
        let open: &HashSet<&str> = &ids.iter().map(MediaId::as_str).collect();
        let answers: Vec<Answer> = stream::iter(lists)
            .map(|scope| async move { self.ask_list(owner, scope.as_ref(), open).await })
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await?;
        let mut all = Answer { complete: true, listed: true, ..Answer::default() };
        for answer in answers {
            all.owned.extend(answer.owned);
            all.complete &= answer.complete;
        }
        if !all.complete && !ids.iter().all(|id| all.owned.contains(id)) {
            all.unsettled = Some(self.too_many(owner));
        }
        Ok(all)
    }

    /// Lists one scope, with a limit that grows until the list has all ids or all rows.
    async fn ask_list(
        &self,
        owner: &Owner,
        scope: Option<&Scope>,
        open: &HashSet<&str>,
    ) -> Result<Answer> {
        let mut limit = FIRST_LIMIT.min(self.max_rows);
        let mut before = 0;
        loop {
            let body = self.list(owner, scope, limit).await?;
            let rows: Vec<Row<'_>> = parse(&body)?;
            // A row that is no id cannot have been asked about.
            let owned: HashSet<MediaId> =
                rows.iter().filter_map(|row| MediaId::from_trusted(&row.id).ok()).collect();
            if open.iter().all(|id| owned.contains(*id)) {
                return Ok(Answer { owned, complete: false, listed: true, unsettled: None });
            }
            // A server may have a bound of its own, below the limit.
            let count = rows.len();
            let last = limit >= self.max_rows || count < limit && count == before;
            let complete =
                count == 0 || (count < limit || last) && self.is_all(owner, scope, &rows).await?;
            // Where there are too many rows, other scopes may still have the ids.
            if complete || last {
                return Ok(Answer { owned, complete, listed: true, unsettled: None });
            }
            (before, limit) = (count, limit.saturating_mul(10).min(self.max_rows));
        }
    }

    async fn list(&self, owner: &Owner, scope: Option<&Scope>, limit: usize) -> Result<Bytes> {
        let mut url = self.client.url(&[]);
        url.query_pairs_mut().append_pair("userId", owner.subject());
        if let Some(scope) = scope {
            url.query_pairs_mut().append_pair("app", scope.as_str());
        }
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        let response = self.client.send("list", || self.client.http.get(url.clone())).await?;
        self.client.body_up_to(MAX_LIST, response).await
    }

    /// Whether the service counts no more than these: what is ready, each once.
    async fn is_all(&self, owner: &Owner, scope: Option<&Scope>, rows: &[Row<'_>]) -> Result<bool> {
        let mut url = self.client.url(&["list", "all"]);
        url.query_pairs_mut().append_pair("userId", owner.subject()).append_pair("limit", "1");
        if let Some(scope) = scope {
            url.query_pairs_mut().append_pair("apps", scope.as_str());
        }
        let response = self.client.send("list_all", || self.client.http.get(url.clone())).await?;
        let page: SearchOptions<serde::de::IgnoredAny> = self.client.json(response).await?;
        let ready = rows.iter().filter(|row| row.status == "ready").map(|row| &row.id);
        Ok(page.total <= ready.collect::<HashSet<_>>().len() as u64)
    }

    fn too_many(&self, owner: &Owner) -> Error {
        let max_rows = self.max_rows;
        tracing::error!(?owner, max_rows, "more rows than may be read: ownership is not known");
        let what = format!("the owner has more than {max_rows} rows, or the service lists no more");
        Error::new(ErrorKind::Unavailable, what)
    }
}
