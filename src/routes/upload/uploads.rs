//! The files of a request, one after the other.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::{UploadPolicy, UploadRejection, concurrency::Place, sniff::look};
use crate::{
    error::Result,
    extract::{Part, Reader, is_file},
    media::Upload,
    owner::{Owner, Scope},
};

/// The most parts of a form that are no files.
const MAX_FIELDS: usize = 100;

/// The most bytes of all parts together that are no files.
const MAX_FIELD_BYTES: usize = 256 << 10;

/// The files of a multipart form under an [`UploadPolicy`], for a handler that stores them itself.
///
/// Every part with a file name is a file, whatever its field is called; the others are passed over,
/// wherever they stand. A handler takes it as an argument where [`UploadPolicy::layer`] is on the route
/// and the [`Owner`] in the request's extensions; [`UploadPolicy::accept`] makes it for another.
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
    scope: Scope,
    files: usize,
    fields: usize,
    field_bytes: usize,
    room: Option<u64>,
    _place: Place,
}

impl Uploads {
    pub(super) fn new(
        policy: UploadPolicy,
        owner: Owner,
        scope: Scope,
        reader: Reader,
        place: Place,
    ) -> Self {
        let (files, fields, field_bytes) = (0, 0, 0);
        let room = None;
        Self { reader, policy, owner, scope, files, fields, field_bytes, room, _place: place }
    }

    /// Returns whose files they are.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Says that the next file may have no more bytes than this, because its owner may not store more.
    pub fn set_room(&mut self, bytes: u64) {
        self.room = Some(bytes);
    }

    /// Returns the next file, with its name and scope, or `None` behind the last. By then its type
    /// is known to be one of the policy's; the rest of it is read while it is stored.
    ///
    /// The upload before must be stored or dropped; what was not read of it is passed over.
    ///
    /// # Errors
    ///
    /// [`UploadRejection`] by what is in the form. What an upload fails with while it is stored becomes
    /// one with [`From`].
    pub async fn next(&mut self) -> Result<Option<Upload>, UploadRejection> {
        loop {
            let part = self.reader.next().await.map_err(UploadRejection::of_form)?;
            let Some(part) = part else { return Ok(None) };
            let head = part.head().expect("nothing of it has been read");
            // A browser sends an input in which no file was chosen as a file without name.
            if is_file(head) && head.file_name() != Some("") {
                return self.upload(part).await.map(Some);
            }
            self.pass_over(part).await?;
        }
    }

    async fn pass_over(&mut self, mut part: Part) -> Result<(), UploadRejection> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(UploadRejection::TooManyParts);
        }
        while let Some(piece) = part.try_next().await.map_err(UploadRejection::of_form)? {
            self.field_bytes += piece.len();
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
        let head = part.head().expect("nothing of it has been read");
        let name = head.file_name().map(str::to_owned);
        let hint = head.content_type().map(ToString::to_string);
        let mut file = File { part, read: 0, limit: self.policy.max_bytes, room: self.room };
        let begin = look(&mut file, hint.as_deref(), &self.policy).await?;
        let bytes = stream::iter([Ok(begin)]).chain(file.map_err(UploadRejection::into_error));
        let mut upload = Upload::from_stream(bytes).scope(self.scope.clone());
        if let Some(name) = name {
            upload = upload.file_name(name);
        }
        if let Some(hint) = hint {
            upload = upload.content_type(hint);
        }
        Ok(upload)
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
        let extensions = request.extensions();
        let Some(policy) = extensions.get::<UploadPolicy>().cloned() else {
            let what = "`Uploads` was extracted, but no `UploadPolicy` is in the request's \
                        extensions. Add `.layer(policy.layer())` to the route.";
            return Err(UploadRejection::WrongWiring(what));
        };
        let owner = extensions.get::<Owner>().cloned().ok_or(UploadRejection::MissingOwner)?;
        policy.accept(owner, request).await
    }
}

/// The bytes of a file, no more of them than it may have.
struct File {
    part: Part,
    read: u64,
    limit: u64,
    room: Option<u64>,
}

impl Stream for File {
    type Item = Result<Bytes, UploadRejection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.part.poll_next_unpin(cx));
        Poll::Ready(next.map(|piece| {
            let piece = piece.map_err(UploadRejection::of_form)?;
            self.read += piece.len() as u64;
            if self.read > self.limit {
                return Err(UploadRejection::TooLarge(self.limit));
            }
            if self.room.is_some_and(|room| self.read > room) {
                return Err(UploadRejection::QuotaExceeded);
            }
            Ok(piece)
        }))
    }
}
