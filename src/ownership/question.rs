//! The question and the trait that answers it.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    owner::{Owner, Scopes},
};

/// Which of these ids does this owner own, in any of these scopes?
#[derive(Debug, Clone, Copy)]
pub struct OwnershipQuestion<'a> {
    owner: &'a Owner,
    scopes: &'a Scopes,
    ids: &'a [MediaId],
    bypass_cache: bool,
}

impl<'a> OwnershipQuestion<'a> {
    /// Asks about `ids`, which should be distinct.
    pub fn new(owner: &'a Owner, scopes: &'a Scopes, ids: &'a [MediaId]) -> Self {
        Self { owner, scopes, ids, bypass_cache: false }
    }

    /// Sets whether the answer must not come from a cache. Default: `false`.
    #[must_use]
    pub fn bypass_cache(mut self, bypass: bool) -> Self {
        self.bypass_cache = bypass;
        self
    }

    /// Returns who must own them.
    pub fn owner(&self) -> &'a Owner {
        self.owner
    }

    /// Returns where the ownership must count.
    pub fn scopes(&self) -> &'a Scopes {
        self.scopes
    }

    /// Returns the ids in question. Nothing is known of them but that they are well formed: they
    /// are lent for the answer and for nothing else.
    pub fn ids(&self) -> &'a [MediaId] {
        self.ids
    }

    /// Returns whether the answer must not come from a cache.
    pub fn bypasses_cache(&self) -> bool {
        self.bypass_cache
    }
}

/// What the operator, and nobody else, is told of one id (promise G16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnershipStatus {
    /// The owner owns it in one of the scopes.
    Owned,
    /// The owner owns it, but in none of the scopes.
    WrongScope,
    /// Somebody else owns it.
    Foreign,
    /// There is no such id.
    Absent,
}

/// Answers which media somebody owns.
///
/// Every [`MediaBackend`](crate::MediaBackend) is one. Give [`MediaState`](crate::MediaState) another
/// one to put the application's own table or an authorization service in its place.
///
/// # Example
///
/// ```
/// use std::collections::HashSet;
/// use tower_media::{MediaId, Ownership, OwnershipQuestion, Result};
///
/// #[derive(Debug)]
/// struct Grants(HashSet<(String, String)>);
///
/// impl Ownership for Grants {
///     async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
///         let subject = question.owner().subject();
///         let granted = |id: &&MediaId| self.0.contains(&(subject.to_owned(), id.to_string()));
///         Ok(question.ids().iter().filter(granted).cloned().collect())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer who owns media",
    note = "implement `Ownership` for it: `async fn owned(&self, question: &OwnershipQuestion<'_>) -> \
            tower_media::Result<Vec<MediaId>>`"
)]
pub trait Ownership: fmt::Debug + Send + Sync + 'static {
    /// Returns those of the ids that the owner owns in one of the scopes.
    ///
    /// # Behavior
    ///
    /// - Ids that are unknown, removed, of another owner or tenant, or owned in other scopes only are
    ///   left out; none of that is an error.
    /// - The answer never contains an id that was not asked for. One that does is refused as a
    ///   whole.
    /// - Order and repeats in the answer mean nothing.
    /// - Whatever keeps the question from being answered is an error, never an empty answer.
    fn owned(
        &self,
        question: &OwnershipQuestion<'_>,
    ) -> impl Future<Output = Result<Vec<MediaId>>> + Send;

    /// Tells the operator why: what each id asked is to the owner, in the order asked.
    ///
    /// # Behavior
    ///
    /// The default answers [`ErrorKind::Unsupported`]. Nothing of the answer may reach a client.
    fn explain(
        &self,
        question: &OwnershipQuestion<'_>,
    ) -> impl Future<Output = Result<Vec<OwnershipStatus>>> + Send {
        let _ = question;
        async {
            Err(Error::new(ErrorKind::Unsupported, "this ownership cannot explain its answers"))
        }
    }
}

/// [`Ownership`] behind a pointer. Implemented for every `Ownership`; not to be implemented by hand.
pub trait DynOwnership: fmt::Debug + Send + Sync + 'static {
    /// See [`Ownership::owned`].
    fn dyn_owned<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<MediaId>>>;

    /// See [`Ownership::explain`].
    fn dyn_explain<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnershipStatus>>>;
}

impl<T: Ownership> DynOwnership for T {
    fn dyn_owned<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<MediaId>>> {
        Box::pin(self.owned(question))
    }

    fn dyn_explain<'a>(
        &'a self,
        question: &'a OwnershipQuestion<'_>,
    ) -> BoxFuture<'a, Result<Vec<OwnershipStatus>>> {
        Box::pin(self.explain(question))
    }
}
