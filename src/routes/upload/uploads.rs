//! The extractor of the files of a form.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::{
    UploadPolicy, UploadRejection, concurrency::ConcurrencyPermit, limited_body::content_length,
    origin, sniff::sniff,
};
use crate::{
    error::Result,
    extract::{Part, Reader, reader},
    media::Upload,
    owner::Owner,
    util::drain_body::drain_on_drop,
};

/// The greatest number of parts other than files.
const MAX_FIELDS: usize = 100;

/// The greatest total size of the parts other than files, in bytes.
const MAX_FIELD_BYTES: usize = 256 << 10;

/// The files of a multipart form under an [`UploadPolicy`], for a handler that stores them itself.
///
/// Every part with a file name is a file, with any field name; other parts are skipped, in any position. So is
/// the file input of a browser in which no file was chosen. A handler extracts `Uploads` if
/// [`UploadPolicy::layer`] is on the route and the [`Owner`] is in the request's extensions;
/// [`UploadPolicy::accept`] creates it for another owner.
///
/// ```
/// use axum::{Json, Router, extract::Path, routing::post};
/// use tower_media::{routes::{UploadPolicy, UploadRejection, Uploads}, Media, MediaState};
///
/// async fn attach(
///     Path(album): Path<u32>,
///     media: MediaState,
///     mut uploads: Uploads,
/// ) -> Result<Json<Vec<Media>>, UploadRejection> {
///     let mut stored = Vec::new();
///     while let Some(upload) = uploads.next().await? {
///         let upload = upload.file_name(format!("album-{album}"));
///         stored.push(media.upload(uploads.owner(), upload).await?);
///     }
///     Ok(Json(stored))
/// }
///
/// let media = MediaState::in_memory();
/// let policy = UploadPolicy::images().scope("albums").max_files(20);
/// let app: Router = Router::new()
///     .route("/albums/{album}", post(attach).layer(policy.layer()))
///     .layer(media.layer()); // and, outermost, the layer that signs people in
/// ```
pub struct Uploads {
    reader: Reader,
    policy: UploadPolicy,
    owner: Owner,
    files: usize,
    fields: usize,
    field_bytes: usize,
    quota_left: Option<u64>,
    _permit: ConcurrencyPermit,
}

impl UploadPolicy {
    /// Starts to read a request as uploads of this owner. The body is not polled before this has succeeded.
    ///
    /// For an owner that is not in the request's extensions; otherwise a handler extracts [`Uploads`].
    ///
    /// # Errors
    ///
    /// [`UploadRejection`] if the head of the request violates the policy, or too many uploads are active. The
    /// rest of the body is then drained in the background (promise G18).
    pub async fn accept(&self, owner: Owner, request: Request) -> Result<Uploads, UploadRejection> {
        self.valid_scope()?;
        let (parts, body) = drain_on_drop(request).into_parts();
        origin::check(&self.origins, &parts).await?;
        if !is_form(&parts.headers) {
            return Err(UploadRejection::NotAForm);
        }
        let permit = self.permit(&owner)?;
        if content_length(&parts.headers).is_some_and(|length| length > self.max_form_bytes()) {
            return Err(UploadRejection::TooLarge(self.max_bytes));
        }
        let reader = reader(&parts.headers, self.limited_body(body, self.max_form_bytes()))
            .map_err(|error| UploadRejection::Malformed(Arc::new(error)))?;
        Ok(Uploads {
            reader,
            policy: self.clone(),
            owner,
            files: 0,
            fields: 0,
            field_bytes: 0,
            quota_left: None,
            _permit: permit,
        })
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// Returns whether the part is the file input of a browser in which no file was chosen.
async fn is_absent(part: &mut Part) -> Result<bool, UploadRejection> {
    if !part.disposition().is_unnamed_file() {
        return Ok(false);
    }
    part.is_empty().await.map_err(UploadRejection::from_form_error)
}

impl Uploads {
    /// Returns the owner of the files.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Sets the rest of the owner's quota in bytes, which the next file must not exceed.
    pub fn set_quota_left(&mut self, bytes: u64) {
        self.quota_left = Some(bytes);
    }

    /// Returns the next file with its name and scope, or `None` after the last. Its type has been checked
    /// against the policy; the rest of it is read while it is stored.
    ///
    /// The previous upload must have been stored or dropped; its unread rest is skipped.
    ///
    /// # Errors
    ///
    /// [`UploadRejection`] if the form or a file violates the policy. The error of a failed
    /// [`upload`](crate::MediaState::upload) converts into one with [`From`].
    pub async fn next(&mut self) -> Result<Option<Upload>, UploadRejection> {
        loop {
            let part = self.reader.next().await.map_err(UploadRejection::from_form_error)?;
            let Some(mut part) = part else { return Ok(None) };
            if part.disposition().is_file() && !is_absent(&mut part).await? {
                return self.upload(part).await.map(Some);
            }
            self.skip(part).await?;
        }
    }

    async fn skip(&mut self, mut part: Part) -> Result<(), UploadRejection> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(UploadRejection::TooManyParts);
        }
        while let Some(chunk) = part.try_next().await.map_err(UploadRejection::from_form_error)? {
            self.field_bytes += chunk.len();
            if self.field_bytes > MAX_FIELD_BYTES {
                return Err(UploadRejection::TooManyParts);
            }
        }
        Ok(())
    }

    async fn upload(&mut self, part: Part) -> Result<Upload, UploadRejection> {
        self.files += 1;
        if self.files > self.policy.max_files {
            return Err(UploadRejection::TooManyFiles(self.policy.max_files));
        }
        let name = part.disposition().file_name().map(str::to_owned);
        let declared_type = part.content_type().map(ToString::to_string);
        let (limit, quota_left) = (self.policy.max_bytes, self.quota_left);
        let file = FileStream { part, read: 0, limit, quota_left };
        checked_upload(file, name, declared_type, &self.policy).await
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads")
            .field("policy", &self.policy)
            .field("owner", &self.owner)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequest<S> for Uploads {
    type Rejection = UploadRejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, UploadRejection> {
        let request = drain_on_drop(request);
        let extensions = request.extensions();
        let Some(policy) = extensions.get::<UploadPolicy>().cloned() else {
            let what = "`Uploads` was extracted, but the request's extensions contain no \
                        `UploadPolicy`. Add `.layer(policy.layer())` to the route.";
            return Err(UploadRejection::WrongWiring(what));
        };
        let owner = extensions.get::<Owner>().cloned().ok_or(UploadRejection::MissingOwner)?;
        policy.accept(owner, request).await
    }
}

/// Checks the beginning of a file against the policy, and returns the upload of the file in the policy's scope.
pub(super) async fn checked_upload<S>(
    mut file: S,
    name: Option<String>,
    declared_type: Option<String>,
    policy: &UploadPolicy,
) -> Result<Upload, UploadRejection>
where
    S: Stream<Item = Result<Bytes, UploadRejection>> + Send + Unpin + 'static,
{
    let scope = policy.valid_scope()?.clone();
    let prefix = sniff(&mut file, declared_type.as_deref(), policy).await?;
    let bytes = stream::iter([Ok(prefix)]).chain(file.map_err(UploadRejection::into_error));
    let mut upload = Upload::from_stream(bytes).scope(scope);
    if let Some(name) = name {
        upload = upload.file_name(name);
    }
    if let Some(declared_type) = declared_type {
        upload = upload.content_type(declared_type);
    }
    Ok(upload)
}

/// The bytes of a file, up to its limits.
struct FileStream {
    part: Part,
    read: u64,
    limit: u64,
    quota_left: Option<u64>,
}

impl Stream for FileStream {
    type Item = Result<Bytes, UploadRejection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.part.poll_next_unpin(cx));
        Poll::Ready(next.map(|chunk| {
            let chunk = chunk.map_err(UploadRejection::from_form_error)?;
            self.read += chunk.len() as u64;
            if self.read > self.limit {
                return Err(UploadRejection::TooLarge(self.limit));
            }
            if self.quota_left.is_some_and(|left| self.read > left) {
                return Err(UploadRejection::QuotaExceeded);
            }
            Ok(chunk)
        }))
    }
}
