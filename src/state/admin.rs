//! The operations that ignore owners.

use super::{
    inner::{Inner, distinct},
    media_state::MediaState,
};
use crate::{
    backend::MediaBackend as _,
    error::Result,
    id::{ContentHash, MediaId, UnverifiedId},
    media::Media,
    owner::{Owner, Scopes},
    ownership::{OwnershipQuestion, OwnershipStatus, contained},
};

/// Operations that ignore owners, from [`MediaState::admin`].
///
/// For operators, never for a user's request: each of them reveals or changes media of any owner.
///
/// # Example
///
/// ```
/// use tower_media::{MediaState, Owner, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// let media = MediaState::in_memory();
/// let reported = media.upload(&Owner::new("ana")?, Upload::new("spam")).await?;
///
/// let found = media.admin().find_by_hash(reported.hash).await?.expect("it was uploaded");
/// assert!(media.admin().delete(&found.id).await?);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
pub struct Admin<'a>(&'a Inner);

impl MediaState {
    /// Returns the operations that ignore owners: for operators, never for a user's request.
    pub fn admin(&self) -> Admin<'_> {
        Admin(&self.0)
    }
}

impl Admin<'_> {
    /// Deletes media regardless of its owner, and returns whether there was anything to delete. Records
    /// that other owners have of the same bytes stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the backend only deletes for
    /// owners, and the backend's own.
    pub async fn delete(&self, id: &MediaId) -> Result<bool> {
        self.0.backend.delete_any_owner(id).await
    }

    /// Returns one record with this content hash, regardless of owner; stable until that record is
    /// deleted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the backend cannot search by
    /// hash, and the backend's own.
    pub async fn find_by_hash(&self, hash: ContentHash) -> Result<Option<Media>> {
        self.0.backend.find_by_hash(hash).await
    }

    /// Returns, for each distinct id of `ids`, whether `owner` owns it, owns it in other scopes only, or
    /// whether it belongs to another owner or is unknown.
    ///
    /// A client must never see the answer: a refusal deliberately does not tell these cases apart
    /// (promise G5).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the ownership does not implement
    /// [`Ownership::explain`](crate::Ownership::explain),
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for more than 10,000 distinct ids,
    /// and those of [`MediaState::verify`].
    pub async fn explain(
        &self,
        owner: &Owner,
        scopes: impl Into<Scopes>,
        ids: impl IntoIterator<Item = UnverifiedId>,
    ) -> Result<Vec<(UnverifiedId, OwnershipStatus)>> {
        let (ids, scopes) = (distinct(ids)?, scopes.into());
        let question = OwnershipQuestion::new(owner, &scopes, ids.as_slice());
        let answer = async { self.0.ownership.dyn_explain(&question).await };
        let statuses = contained("the explanation", self.0.check_timeout, answer).await?;
        Ok(ids.as_slice().iter().map(UnverifiedId::from_candidate).zip(statuses).collect())
    }
}

impl std::fmt::Debug for Admin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("backend", &self.0.backend).finish_non_exhaustive()
    }
}
