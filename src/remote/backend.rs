//! `Remote`, and its `MediaBackend` implementation.

use std::{fmt, sync::Arc};

use reqwest::{Method, Response, StatusCode, header};

use super::{RemoteBuilder, upload};
use super::{
    client::{Client, Retry},
    ownership::Asker,
    ownership_cache::{Ask, Questions},
    response::Refusal,
    upload_progress::Progress,
};
use crate::protocol::decode::{PublicUrls, Record};
use crate::{
    backend::MediaBackend,
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    media::{
        ByteRange, Download, DownloadOptions, ListOptions, Media, MediaStats, MediaUrls, Page,
        SearchOptions, SearchPage, Upload,
    },
    owner::Owner,
    ownership::{Ownership, OwnershipQuestion},
};

/// A media service over HTTP, as a backend. See the [module docs](self).
///
/// Cloning is cheap; clones share connections, questions and what is remembered.
#[derive(Clone)]
pub struct Remote {
    pub(super) client: Arc<Client>,
    questions: Questions,
    ask: Arc<Ask>,
    pub(super) public: PublicUrls,
}

impl Remote {
    /// Uses the service at `url`, with the defaults of [`RemoteBuilder`].
    ///
    /// # Errors
    ///
    /// Those of [`RemoteBuilder::build`].
    ///
    /// # Example
    ///
    /// ```
    /// use tower_media::{MediaState, Remote};
    ///
    /// let media = MediaState::new(Remote::new("http://localhost:3015")?);
    /// assert!(Remote::new("ftp://localhost").is_err());
    /// # Ok::<_, tower_media::Error>(())
    /// ```
    pub fn new(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).build()
    }

    /// Begins to configure the use of the service at `url`.
    pub fn builder(url: impl Into<String>) -> RemoteBuilder {
        RemoteBuilder::new(url)
    }

    pub(super) fn of(
        client: Client,
        public: PublicUrls,
        questions: Questions,
        max_rows: usize,
    ) -> Self {
        let client = Arc::new(client);
        let asker = Arc::new(Asker::new(Arc::clone(&client), max_rows));
        let ask: Arc<Ask> = Arc::new(move |owner, scopes, ids| {
            let asker = Arc::clone(&asker);
            Box::pin(async move { asker.ask(&owner, &scopes, &ids).await })
        });
        Self { client, questions, ask, public }
    }

    /// Asks the service whether it is there. The recorded service says so even when its database and its
    /// store are not.
    ///
    /// # Errors
    ///
    /// Those of a call to the service.
    pub async fn health(&self) -> Result<()> {
        let url = self.client.root("health");
        let response = self.client.send("health", || self.client.http.get(url.clone())).await?;
        self.client.body(response).await.map(drop)
    }

    async fn media(&self, response: Response) -> Result<Media> {
        self.client.json::<Record>(response).await?.into_media(&self.public)
    }

    pub(super) async fn record(&self, id: &MediaId) -> Result<Media> {
        self.media(self.about(id, About::get("get")).await?).await
    }

    /// Sends a request about one id.
    pub(super) async fn about(&self, id: &MediaId, about: About<'_>) -> Result<Response> {
        if is_respelt(id) {
            return Err(unknown());
        }
        let About { operation, method, path, query, range } = about;
        let mut url = self.client.url(&[&[id.as_str()], path].concat());
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let make = || {
            let mut request = self.client.http.request(method.clone(), url.clone());
            if let Some(range) = range {
                request = request.header(header::RANGE, range.to_string());
            }
            (request, Progress::default())
        };
        // Removing twice is removing once, but then the second answer is that there is nothing.
        let retry = if method == Method::DELETE { Retry::Never } else { Retry::Transient };
        let answer = self.client.send_any(operation, retry, make).await?;
        answer.map_err(|refusal| about_id(refusal, id, range))
    }

    /// The owner's name on the wire, which knows no tenants.
    pub(super) fn user_id<'a>(&self, owner: &'a Owner) -> Result<&'a str> {
        if owner.tenant().is_some() {
            let what =
                "the media service knows no tenants, so an owner in one cannot be told from others";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        Ok(owner.subject())
    }
}

/// What is asked about an id.
pub(super) struct About<'a> {
    /// For the operator.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// Below the id.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a str,
    pub(super) range: Option<ByteRange>,
}

impl About<'_> {
    pub(super) fn get(operation: &'static str) -> Self {
        Self { operation, method: Method::GET, path: &[], query: "", range: None }
    }
}

/// Whether this is a UUID as the service writes it.
fn is_canonical(id: &MediaId) -> bool {
    uuid::Uuid::try_parse(id.as_str()).is_ok_and(|uuid| uuid.to_string() == id.as_str())
}

/// Whether the service would take this for another id: it reads UUIDs in upper case and with dashes
/// elsewhere as well, and an id has one spelling here (promise G10).
fn is_respelt(id: &MediaId) -> bool {
    let digits: String = id.as_str().chars().filter(|c| *c != '-').collect();
    uuid::Uuid::try_parse(&digits).is_ok() && !is_canonical(id)
}

/// What a refusal says about an id. The recorded service answers 500 to an id that is no UUID.
fn about_id(refusal: Refusal, id: &MediaId, range: Option<ByteRange>) -> Error {
    if refusal.status == StatusCode::RANGE_NOT_SATISFIABLE && range.is_some() {
        return Error::range_not_satisfiable(refusal.complete_length);
    }
    if refusal.reason.as_deref() == Some("File not found") {
        let what = "the bytes of the media are lost, or cannot be reached";
        return Error::new(ErrorKind::NotFound, what);
    }
    let is_unknown = refusal.status == StatusCode::NOT_FOUND
        || refusal.status == StatusCode::INTERNAL_SERVER_ERROR && !is_canonical(id);
    if is_unknown { unknown() } else { refusal.into() }
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such media")
}

impl Ownership for Remote {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        self.user_id(question.owner())?;
        let (owner, scopes) = (question.owner(), question.scopes());
        self.questions
            .owned(owner, scopes, question.candidates(), question.bypasses_cache(), &self.ask)
            .await
    }
}

impl MediaBackend for Remote {
    async fn upload(&self, owner: &Owner, upload: Upload) -> Result<Media> {
        let user_id = self.user_id(owner)?;
        let parts = upload.into_parts()?;
        let change = self.questions.uploading(owner);
        let record = upload::upload(&self.client, user_id, parts).await;
        drop(change);
        record?.into_media(&self.public)
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
        let change = self.questions.removing(id);
        let removed = self.remove_owned(owner, id).await;
        drop(change);
        removed
    }

    async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        let segments = ["hash", &hash.to_string()];
        let request = || self.client.request(Method::GET, &segments);
        let answer = self.client.send("find_by_hash", request).await;
        match answer {
            Ok(response) => Ok(Some(self.media(response).await?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delete_any_owner(&self, id: &MediaId) -> Result<bool> {
        let change = self.questions.removing(id);
        let removed = self.remove_by_id(id).await;
        drop(change);
        removed
    }

    /// Asks for the service's readiness where it tells, else for its health.
    async fn check_health(&self) -> Result<()> {
        let url = self.client.root("ready");
        let request = || (self.client.http.get(url.clone()), Progress::default());
        match self.client.send_any("ready", Retry::Transient, request).await? {
            Ok(response) => self.client.body(response).await.map(drop),
            // The recorded service only knows its health.
            Err(refusal) if refusal.status == StatusCode::NOT_FOUND => self.health().await,
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.public.all(id, &self.client.public_base())
    }
}

impl Remote {
    /// The service removes whatever it is told to, and for everybody, so who asks is looked at first.
    async fn remove_owned(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        let answer =
            (self.ask)(owner.clone(), crate::owner::Scopes::any(), vec![id.clone()]).await?;
        if !answer.owned.contains(id) {
            return Ok(false);
        }
        self.remove_by_id(id).await
    }

    async fn remove_by_id(&self, id: &MediaId) -> Result<bool> {
        let remove = About { method: Method::DELETE, ..About::get("remove") };
        match self.about(id, remove).await {
            Ok(response) => self.client.body(response).await.map(|_| true),
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
