#![doc = include_str!("../docs/remote.md")]

mod builder;
mod circuit;
mod client;
mod listing;
mod observe;
mod owned;
mod progress;
mod questions;
mod upload;
mod wire;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Method, Response, StatusCode, header};

pub use self::{
    builder::RemoteBuilder,
    listing::{ListAll, ListPage, SortBy},
};
use self::{
    client::{Client, Refusal, Retry},
    owned::Asker,
    progress::Progress,
    questions::{Ask, Questions},
    wire::{PublicUrls, Record},
};
use crate::{
    backend::MediaBackend,
    download::{Download, DownloadOptions},
    error::{Error, ErrorKind, Result},
    id::{ContentHash, MediaId},
    list::{ListOptions, MediaStats, Page},
    media::{Media, MediaUrls},
    owner::Owner,
    ownership::{Ownership, OwnershipQuestion},
    rendition::{Format, Rendition, Transform, Variant},
    upload::Upload,
};

/// A media service over HTTP, as a backend. See the [module docs](self).
///
/// Cloning is cheap; clones share connections, questions and what is remembered.
#[derive(Clone)]
pub struct Remote {
    client: Arc<Client>,
    questions: Questions,
    ask: Arc<Ask>,
    public: PublicUrls,
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

    fn of(client: Client, public: PublicUrls, questions: Questions, max_rows: usize) -> Self {
        let client = Arc::new(client);
        let asker = Arc::new(Asker::new(Arc::clone(&client), max_rows));
        let ask: Arc<Ask> = Arc::new(move |owner, scopes, ids| {
            let asker = Arc::clone(&asker);
            Box::pin(async move { asker.ask(&owner, &scopes, &ids).await })
        });
        Self { client, questions, ask, public }
    }

    /// Returns the record of the media with this content, whoever it belongs to, if there is one.
    ///
    /// For the operator only: told to a user, it says whether somebody else has a picture.
    ///
    /// # Errors
    ///
    /// Those of a call to the service; that there is none is no error.
    pub async fn find_any_owners_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        let segments = ["hash", &hash.to_string()];
        let answer = self.client.send(|| self.client.request(Method::GET, &segments)).await;
        match answer {
            Ok(response) => Ok(Some(self.media(response).await?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks the service whether it is there. The recorded service says so even when its database and its
    /// store are not.
    ///
    /// # Errors
    ///
    /// Those of a call to the service.
    pub async fn health(&self) -> Result<()> {
        let url = self.client.root("health");
        let response = self.client.send(|| self.client.http.get(url.clone())).await?;
        self.client.body(response).await.map(drop)
    }

    async fn media(&self, response: Response) -> Result<Media> {
        self.client.json::<Record>(response).await?.into_media(&self.public)
    }

    /// Sends a request about one id.
    async fn about(
        &self,
        method: Method,
        id: &MediaId,
        path: &[&str],
        query: &str,
    ) -> Result<Response> {
        if is_respelt(id) {
            return Err(unknown());
        }
        let mut url = self.client.url(&[&[id.as_str()], path].concat());
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let make = || (self.client.http.request(method.clone(), url.clone()), Progress::default());
        // Removing twice is removing once, but then the second answer is that there is nothing.
        let retry = if method == Method::DELETE { Retry::Never } else { Retry::Transient };
        self.client.send_any(retry, make).await?.map_err(|refusal| about_id(refusal, id))
    }

    /// The owner's name on the wire, which knows no tenants.
    fn user_id<'a>(&self, owner: &'a Owner) -> Result<&'a str> {
        if owner.tenant().is_some() {
            let what =
                "the media service knows no tenants, so an owner in one cannot be told from others";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        Ok(owner.subject())
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
fn about_id(refusal: Refusal, id: &MediaId) -> Error {
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
        self.questions.owned(owner, scopes, question.ids(), question.is_fresh(), &self.ask).await
    }
}

impl MediaBackend for Remote {
    async fn upload(&self, upload: Upload) -> Result<Media> {
        let (body, claims) = upload.into_parts()?;
        self.user_id(&claims.owner)?;
        let change = self.questions.uploading(&claims.owner);
        let record = upload::upload(&self.client, body, &claims).await;
        drop(change);
        record?.into_media(&self.public)
    }

    async fn get(&self, id: &MediaId) -> Result<Media> {
        self.media(self.about(Method::GET, id, &[], "").await?).await
    }

    async fn download(&self, id: &MediaId, options: &DownloadOptions) -> Result<Download> {
        let response = match options.rendition() {
            Rendition::Original => self.about(Method::GET, id, &["file"], "").await?,
            Rendition::Variant(variant) => self.variant(id, variant).await?,
            Rendition::Transform(transform) => self.transform(id, transform).await?,
        };
        Ok(self.stream(response))
    }

    async fn list(&self, owner: &Owner, options: &ListOptions) -> Result<Page> {
        self.list_page(owner, options).await
    }

    async fn stats(&self, owner: &Owner) -> Result<MediaStats> {
        self.count(owner).await
    }

    async fn remove(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        self.user_id(owner)?;
        let change = self.questions.removing(id);
        let removed = self.remove_owned(owner, id).await;
        drop(change);
        removed
    }

    fn urls(&self, id: &MediaId) -> MediaUrls {
        self.public.all(id, &self.client.public_base())
    }
}

impl Remote {
    /// For a variant that does not exist the service sends the original (promise P5). Its type gives
    /// it away, unless it is WebP as the variants are. So the record, which names those that exist, is
    /// read first; afterwards it could tell of one that was made in between.
    async fn variant(&self, id: &MediaId, variant: Variant) -> Result<Response> {
        let none = || Error::new(ErrorKind::NotFound, "the media has no such variant");
        let urls = self.get(id).await?.urls;
        let url = match variant {
            Variant::Thumbnail => urls.thumbnail,
            Variant::Medium => urls.medium,
            Variant::Large => urls.large,
        };
        url.ok_or_else(none)?;
        let response = self.about(Method::GET, id, &["file", variant.as_str()], "").await?;
        if content_type(&response) == Format::WebP.mime_type() { Ok(response) } else { Err(none()) }
    }

    async fn transform(&self, id: &MediaId, transform: Transform) -> Result<Response> {
        let query = transform.to_query();
        let response = match self.about(Method::GET, id, &["transform"], &query).await {
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                let what = "only pictures can be transformed";
                return Err(Error::new(ErrorKind::Unsupported, what).with_source(error));
            }
            response => response?,
        };
        if content_type(&response) != transform.format().mime_type() {
            let what = "the media service sent another format than it was asked for";
            return Err(Error::new(ErrorKind::Unexpected, what));
        }
        Ok(response)
    }

    /// The service removes whatever it is told to, and for everybody, so who asks is looked at first.
    async fn remove_owned(&self, owner: &Owner, id: &MediaId) -> Result<bool> {
        let answer =
            (self.ask)(owner.clone(), crate::owner::Scopes::any(), vec![id.clone()]).await?;
        if !answer.owned.contains(id) {
            return Ok(false);
        }
        match self.about(Method::DELETE, id, &[], "").await {
            Ok(response) => self.client.body(response).await.map(|_| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn stream(&self, response: Response) -> Download {
        let content_type = content_type(&response).to_owned();
        let length = response.content_length();
        let client = Arc::clone(&self.client);
        let body = stream::try_unfold(response, move |mut response| {
            let client = Arc::clone(&client);
            async move { Ok(client.idle(response.chunk()).await?.map(|chunk| (chunk, response))) }
        });
        let body = body.inspect_ok(|chunk: &Bytes| observe::received(chunk.len()));
        let download = Download::from_stream(content_type, body.map_err(cut_short).boxed());
        match length {
            Some(length) => download.with_length(length),
            None => download,
        }
    }
}

/// What breaks off in the middle of a body is not whole.
fn cut_short(error: Error) -> Error {
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    Error::new(ErrorKind::Integrity, "the media broke off before its end").with_source(error)
}

fn content_type(response: &Response) -> &str {
    let header = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    header.filter(|value| !value.is_empty()).unwrap_or("application/octet-stream")
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("client", &self.client).finish_non_exhaustive()
    }
}
