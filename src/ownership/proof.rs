//! The proof that somebody owns media, and the only way to it.

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

/// The proof that an owner owns every one of these media.
///
/// It comes from [`VerifyMediaLayer`](crate::VerifyMediaLayer) or from
/// [`MediaState::verify`](crate::MediaState::verify), cannot be built in another way (tests have
/// `OwnedMedia::for_test` with the feature `testkit`), and tells what was true when it was asked.
/// Cloning is cheap.
///
/// The ids stand in the order of the request, each once.
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
/// let cat = media.upload(Upload::new("meow").owned_by(&ana).scope("pets")).await?;
///
/// let asked = UnverifiedId::parse(cat.id.as_str())?;
/// let owned = media.verify(&ana, Scopes::any(), [asked.clone()]).await?;
/// assert_eq!(owned.ids(), [cat.id.clone()]);
/// assert_eq!(owned[&asked], cat.id);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct OwnedMedia(Arc<Claim>);

/// What a proof says, and nobody has verified yet.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    pub(crate) scopes: Scopes,
    pub(crate) ids: IdSet,
}

impl OwnedMedia {
    /// Makes a proof out of nothing, to call a handler from a test.
    #[cfg(feature = "testkit")]
    pub fn for_test(owner: Owner, scopes: Scopes, ids: impl IntoIterator<Item = MediaId>) -> Self {
        let mut set = super::IdCollector::new(usize::MAX);
        for id in ids {
            set.add(&UnverifiedId::parse(id).expect("a `MediaId` is well formed"));
        }
        Self(Arc::new(Claim { owner, scopes, ids: set.into_set() }))
    }

    /// Returns whose they are.
    pub fn owner(&self) -> &Owner {
        &self.0.owner
    }

    /// Returns in which scopes ownership counted.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// Returns the ids in the order of the request, each once.
    pub fn ids(&self) -> &[MediaId] {
        self.0.ids.as_slice()
    }

    /// Turns an id of the request into one that may be acted on, if it was part of the check.
    pub fn get(&self, id: &UnverifiedId) -> Option<&MediaId> {
        self.0.ids.position(id.text()).map(|position| &self.ids()[position])
    }
}

impl Index<&UnverifiedId> for OwnedMedia {
    type Output = MediaId;

    /// Turns an id of the request into one that may be acted on.
    ///
    /// # Panics
    ///
    /// If the id was not part of the check. Every id of the payload that the layer verified is;
    /// for others there is [`OwnedMedia::get`].
    fn index(&self, id: &UnverifiedId) -> &MediaId {
        self.get(id).unwrap_or_else(|| panic!("{id:?} was not part of the ownership check"))
    }
}

/// Asks who owns the ids of a claim and accepts only an answer that covers all of them and nothing
/// else.
///
/// This is the one place where a proof is made. Whatever happens to the question, a panic included,
/// is an error (promise G1).
pub(crate) async fn verify(
    ownership: &dyn DynOwnership,
    claim: &Arc<Claim>,
    bypass_cache: bool,
    deadline: Duration,
) -> Result<OwnedMedia> {
    let Claim { owner, scopes, ids } = &**claim;
    // Of no ids all are owned: there is nothing to ask (promise G3 has refused it where it matters).
    if ids.len() > 0 {
        let question =
            OwnershipQuestion::new(owner, scopes, ids.as_slice()).bypass_cache(bypass_cache);
        // In a block, so that a panic while the future is made is caught as well.
        let answer = async { ownership.dyn_owned(&question).await };
        let owned = contained("the ownership check", deadline, answer).await.map_err(unanswered)?;
        all_owned(ids, &owned)?;
    }
    Ok(OwnedMedia(Arc::clone(claim)))
}

/// Waits for an answer no longer than the deadline, and makes a panic on the way to it an error. An
/// answer that is there at once pays for no timer.
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

/// What kept the question from being answered. Nothing that an ownership says in an error is a denial:
/// only an answer is (promise G1).
fn unanswered(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Unexpected
        | ErrorKind::Internal => error,
        // It was given an owner that it cannot ask about, which no later request will change.
        ErrorKind::Unsupported => {
            let what = "the ownership cannot answer for this kind of owner";
            Error::new(ErrorKind::Internal, what).with_source(error)
        }
        _ => Error::new(ErrorKind::Unexpected, "the ownership check failed").with_source(error),
    }
}

fn all_owned(asked: &IdSet, owned: &[MediaId]) -> Result<()> {
    // The most common answer by far: all of them, in the order asked.
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
