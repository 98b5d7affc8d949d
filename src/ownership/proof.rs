//! The proof of ownership, and the only function that makes one.

use std::{
    future::poll_fn, ops::Index, panic::AssertUnwindSafe, pin::pin, sync::Arc, task::Poll,
    time::Duration,
};

use futures_util::FutureExt as _;

use super::{DynOwnership, IdSet, OwnershipQuestion};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{MediaId, UnverifiedId},
    owner::{Owner, Scopes},
};

/// The proof that an owner owns all of these media.
///
/// Only [`VerifyMediaLayer`](crate::VerifyMediaLayer) and
/// [`MediaState::verify`](crate::MediaState::verify) make one (tests use `OwnedMedia::for_test`, with the
/// feature `testkit`). It holds for the time of the check. Cloning is cheap.
///
/// The ids are distinct, in the order of the request.
///
/// # Example
///
/// ```
/// use tower_media::{MediaState, Owner, Scopes, UnverifiedId, Upload};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> tower_media::Result<()> {
/// let media = MediaState::in_memory();
/// let ana = Owner::new("ana")?;
/// let cat = media.upload(&ana, Upload::new("meow").scope("pets")).await?;
///
/// let asked = UnverifiedId::parse(cat.id.as_str())?;
/// let owned = media.verify(&ana, Scopes::any(), [asked.clone()]).await?;
/// assert_eq!(owned.ids(), [cat.id.clone()]);
/// assert_eq!(owned[&asked], cat.id);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct OwnedMedia(Arc<Claim>);

/// The content of a proof before its verification.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    pub(crate) scopes: Scopes,
    pub(crate) ids: IdSet,
}

impl OwnedMedia {
    /// Makes a proof without a check, for a test that calls a handler.
    #[cfg(feature = "testkit")]
    pub fn for_test(owner: Owner, scopes: Scopes, ids: impl IntoIterator<Item = MediaId>) -> Self {
        let mut set = super::IdCollector::new(usize::MAX);
        for id in ids {
            set.add(&UnverifiedId::parse(id).expect("a `MediaId` is well formed"));
        }
        Self(Arc::new(Claim { owner, scopes, ids: set.into_set() }))
    }

    /// Returns the owner.
    pub fn owner(&self) -> &Owner {
        &self.0.owner
    }

    /// Returns the scopes of the check.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// Returns the distinct ids in the order of the request.
    pub fn ids(&self) -> &[MediaId] {
        self.0.ids.as_slice()
    }

    /// Converts an id of the request into a verified one, if it was part of the check.
    pub fn get(&self, id: &UnverifiedId) -> Option<&MediaId> {
        self.0.ids.position(id.text()).map(|position| &self.ids()[position])
    }
}

impl Index<&UnverifiedId> for OwnedMedia {
    type Output = MediaId;

    /// Converts an id of the request into a verified one.
    ///
    /// # Panics
    ///
    /// If the id was not part of the check. Every id of the payload that the layer verified was; for
    /// other ids use [`OwnedMedia::get`].
    fn index(&self, id: &UnverifiedId) -> &MediaId {
        self.get(id).unwrap_or_else(|| panic!("{id:?} was not part of the ownership check"))
    }
}

/// Sends the ownership query of a claim, and accepts only an answer with all of its ids and no other.
///
/// The only function that makes a proof. Any failure of the query, a panic included, is an error
/// (promise G1).
pub(crate) async fn verify(
    ownership: &dyn DynOwnership,
    claim: &Arc<Claim>,
    bypass_cache: bool,
    deadline: Duration,
) -> Result<OwnedMedia> {
    let Claim { owner, scopes, ids } = &**claim;
    // An empty id set is trivially owned; skip the query (promise G3 refuses it in the guard).
    if ids.len() > 0 {
        let question =
            OwnershipQuestion::new(owner, scopes, ids.as_slice()).bypass_cache(bypass_cache);
        // In a block, which also catches a panic of the function that returns the future.
        let answer = async { ownership.dyn_owned(&question).await };
        let owned = contained("the ownership check", deadline, answer).await.map_err(unanswered)?;
        all_owned(ids, &owned)?;
    }
    Ok(OwnedMedia(Arc::clone(claim)))
}

/// Awaits an answer with a deadline, and converts a panic into an error. An answer that is ready at the
/// first poll starts no timer.
pub(crate) async fn contained<T>(
    what: &str,
    deadline: Duration,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind());
    let ended = match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
        Poll::Ready(ended) => Ok(ended),
        Poll::Pending => tokio::time::timeout(deadline, answer).await,
    };
    match ended {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::new(ErrorKind::Internal, format!("{what} panicked"))),
        Err(_) => Err(Error::timeout(what, deadline)),
    }
}

/// Converts the error of an ownership into that of the check. An error is never a denial, whatever its
/// kind; only an answer is (promise G1).
fn unanswered(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Unexpected
        | ErrorKind::Internal => error,
        // The ownership does not support this kind of owner; a retry cannot succeed.
        ErrorKind::Unsupported => {
            let what = "the ownership cannot answer for this kind of owner";
            Error::new(ErrorKind::Internal, what).with_source(error)
        }
        _ => Error::new(ErrorKind::Unexpected, "the ownership check failed").with_source(error),
    }
}

fn all_owned(asked: &IdSet, owned: &[MediaId]) -> Result<()> {
    // Fast path for the most common answer: all ids, in order.
    if asked.as_slice() == owned {
        return Ok(());
    }
    let mut found = vec![false; asked.len()];
    for id in owned {
        let position = asked.position(id.as_str()).ok_or_else(|| {
            Error::new(
                ErrorKind::Unexpected,
                "the ownership answer names media that was not asked for",
            )
        })?;
        found[position] = true;
    }
    if found.iter().all(|found| *found) {
        return Ok(());
    }
    let missing = asked.as_slice().iter().zip(found).filter(|(_, found)| !found);
    Err(Error::not_owned(missing.map(|(id, _)| UnverifiedId::from_candidate(id)).collect()))
}
