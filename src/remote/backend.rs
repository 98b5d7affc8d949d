//! `Remote`, and its `MediaBackend` implementation.

use std::{fmt, sync::Arc};

use reqwest::{Method, StatusCode, header};

use super::{
    client::{Client, Retry},
    ownership_client::OwnershipClient,
    public_urls::PublicUrls,
    response::{ErrorResponse, Reply, SendError},
    upload,
    upload_progress::UploadProgress,
};
use crate::{
    backend::MediaBackend,
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{
        ByteRange, Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page,
        SearchOptions, SearchPage, Upload,
    },
    owner::{Owner, Scopes},
    ownership::{
        Ownership, OwnershipQuestion,
        cache::{OwnershipCache, QueryFn},
    },
};

/// A media service over HTTP, as a backend. See the [module docs](crate::remote).
///
/// Cloning is cheap; clones share connections, the circuit breaker and the ownership cache.
#[derive(Clone)]
pub struct Remote {
    pub(super) client: Arc<Client>,
    ownership_cache: OwnershipCache,
    query_ownership: Arc<QueryFn>,
    pub(super) public_urls: PublicUrls,
}

impl Remote {
    pub(super) fn from_parts(
        client: Client,
        public_urls: PublicUrls,
        ownership_cache: OwnershipCache,
        max_rows: usize,
    ) -> Self {
        let client = Arc::new(client);
        let ownership = Arc::new(OwnershipClient::new(Arc::clone(&client), max_rows));
        let query_ownership: Arc<QueryFn> = Arc::new(move |owner, scopes, ids| {
            let ownership = Arc::clone(&ownership);
            Box::pin(async move { ownership.query(&owner, &scopes, &ids).await })
        });
        Self { client, ownership_cache, query_ownership, public_urls }
    }

    /// Calls `GET /health`. The original service responds with 200 even while its database or its object
    /// store is down.
    ///
    /// # Errors
    ///
    /// Those of a call to the service.
    pub async fn health(&self) -> Result<()> {
        let url = self.client.root("health");
        let reply = self.client.send("health", || self.client.http.get(url.clone())).await?;
        self.client.body(reply).await.map(drop)
    }

    async fn media(&self, reply: Reply) -> Result<Media> {
        Ok(self.public_urls.media(self.client.json(reply).await?))
    }

    pub(super) async fn record(&self, id: &MediaId) -> Result<Media> {
        self.media(self.send_for(id, RequestSpec::get("get")).await?).await
    }

    /// Sends a request for one id.
    pub(super) async fn send_for(&self, id: &MediaId, spec: RequestSpec<'_>) -> Result<Reply> {
        if is_alternative_spelling(id) {
            return Err(Error::not_found());
        }
        let RequestSpec { operation, method, path, query, range } = spec;
        let mut url = self.client.url(&[&[id.as_str()], path].concat());
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let make = || {
            let mut request = self.client.http.request(method.clone(), url.clone());
            if let Some(range) = range {
                request = request.header(header::RANGE, range.to_string());
            }
            (request, UploadProgress::default())
        };
        // A repeated deletion would respond with 404 although the first attempt deleted the media.
        let retry = if method == Method::DELETE { Retry::Never } else { Retry::Outage };
        self.client.send_with(operation, retry, make).await.map_err(|error| match error {
            SendError::Status(response) => status_error(response, id, range),
            SendError::NoResponse(error) => error,
        })
    }

    /// The owner's `userId` in the protocol, which has no tenants.
    pub(super) fn user_id<'a>(&self, owner: &'a Owner) -> Result<&'a str> {
        if owner.tenant().is_some() {
            let what = "the media service has no tenants, so it cannot serve an owner of a tenant";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        Ok(owner.subject())
    }
}

/// A request for one id.
pub(super) struct RequestSpec<'a> {
    /// The name of the call in spans and errors.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// The path segments below the id.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a str,
    pub(super) range: Option<ByteRange>,
}

impl RequestSpec<'_> {
    pub(super) fn get(operation: &'static str) -> Self {
        Self { operation, method: Method::GET, path: &[], query: "", range: None }
    }
}

/// Returns whether `id` is a UUID in the spelling of the service.
fn is_canonical(id: &MediaId) -> bool {
    uuid::Uuid::try_parse(id.as_str()).is_ok_and(|uuid| uuid.to_string() == id.as_str())
}

/// Returns whether the service would read `id` as another id: it accepts UUIDs in upper case and with
/// other dashes, while an id of this crate has one spelling (promise G10).
fn is_alternative_spelling(id: &MediaId) -> bool {
    let digits: String = id.as_str().chars().filter(|c| *c != '-').collect();
    uuid::Uuid::try_parse(&digits).is_ok() && !is_canonical(id)
}

/// Converts an error status of a request for one id. The original service responds with 500 to an id
/// that is not a UUID.
fn status_error(response: ErrorResponse, id: &MediaId, range: Option<ByteRange>) -> Error {
    if response.status == StatusCode::RANGE_NOT_SATISFIABLE && range.is_some() {
        let error = Error::range_not_satisfiable(response.complete_length);
        return response.into_public(error);
    }
    if response.reason.as_deref() == Some("File not found") {
        let text = "the bytes of the media are lost or unreachable";
        return response.into_public(Error::new(ErrorKind::NotFound, text));
    }
    if response.status == StatusCode::INTERNAL_SERVER_ERROR && !is_canonical(id) {
        return response.into_public(Error::not_found());
    }
    response.into()
}

impl Ownership for Remote {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.user_id(question.owner())?;
        let (owner, scopes) = (question.owner(), question.scopes());
        let (ids, bypass_cache) = (question.candidates(), question.bypasses_cache());
        self.ownership_cache.owned(owner, scopes, ids, bypass_cache, &self.query_ownership).await
    }
}

impl MediaBackend for Remote {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        let user_id = self.user_id(owner)?;
        let parts = upload.into_parts()?;
        let guard = self.ownership_cache.upload_guard(owner);
        let record = upload::upload(&self.client, user_id, parts).await;
        drop(guard);
        Ok(self.public_urls.media(record?))
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        self.record(id).await
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        self.deliver(id, options).await
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.list_page(owner, options).await
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.count(owner).await
    }

    async fn search(&self, owner: &Owner, options: &SearchOptions) -> Result<SearchPage> {
        self.list_all(owner, options).await
    }

    async fn delete(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.user_id(owner)?;
        let _guard = self.ownership_cache.deletion_guard(id);
        self.delete_owned(owner, id).await
    }

    async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        let segments = ["hash", &hash.to_string()];
        let request = || self.client.request(Method::GET, &segments);
        match self.client.send("find_by_hash", request).await {
            Ok(reply) => self.media(reply).await.map(Some),
            Err(SendError::Status(e)) if e.status == StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete_any_owner(&self, id: &MediaId) -> Result<bool> {
        let _guard = self.ownership_cache.deletion_guard(id);
        self.delete_by_id(id).await
    }

    /// Calls `GET /ready`, or `GET /health` of a service without `/ready`.
    async fn check_health(&self) -> Result<()> {
        let url = self.client.root("ready");
        match self.client.send("ready", || self.client.http.get(url.clone())).await {
            Ok(reply) => self.client.body(reply).await.map(drop),
            Err(SendError::Status(e)) if e.status == StatusCode::NOT_FOUND => self.health().await,
            Err(error) => Err(error.into()),
        }
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.public_urls.all(id)
    }
}

impl Remote {
    /// Checks the ownership first, because the service deletes every id for every caller.
    async fn delete_owned(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        let ids = vec![id.clone()];
        let result = (self.query_ownership)(owner.clone(), Scopes::any(), ids).await?;
        if let Some(error) = result.undecided {
            return Err(error);
        }
        if !result.owned.contains(id) {
            return Ok(false);
        }
        self.delete_by_id(id).await
    }

    async fn delete_by_id(&self, id: &MediaId) -> Result<bool> {
        let delete = RequestSpec { method: Method::DELETE, ..RequestSpec::get("delete") };
        match self.send_for(id, delete).await {
            Ok(reply) => self.client.body(reply).await.map(|_| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("client", &self.client).finish_non_exhaustive()
    }
}
