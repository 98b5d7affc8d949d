//! The ownership query and the trait that answers it.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::{
    error::{Error, ErrorKind, Result},
    id::MediaId,
    owner::{Owner, Scopes},
};

/// A query: the ids among these that an owner owns in any of these scopes.
///
/// The ids are unverified text of a client. An [`Ownership`] reads them with [`ids`](Self::ids) as
/// plain `&str`, which no method of [`MediaState`](crate::MediaState) accepts, and answers with
/// [`select`](Self::select), or with ids from its own database.
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

    /// Returns the owner in question.
    pub fn owner(&self) -> &'a Owner {
        self.owner
    }

    /// Returns the scopes of which at least one must match.
    pub fn scopes(&self) -> &'a Scopes {
        self.scopes
    }

    /// Returns the unverified ids in the order of the request, each once. They are well formed
    /// (promise G10), and nothing else is known about them.
    pub fn ids(
        &self,
    ) -> impl ExactSizeIterator<Item = &'a str> + DoubleEndedIterator + Clone + use<'a> {
        self.ids.iter().map(MediaId::as_str)
    }

    /// Returns the answer: those ids for which `is_owned` returns `true`, in the order of the request.
    ///
    /// # Example
    ///
    /// With the rows of a query in the application's own database:
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use tower_media::{MediaId, OwnershipQuestion};
    ///
    /// fn answer(question: &OwnershipQuestion<'_>, rows: HashSet<String>) -> Vec<MediaId> {
    ///     question.select(|id| rows.contains(id))
    /// }
    /// # use tower_media::{Owner, Scopes};
    /// # let (ana, any) = (Owner::new("ana")?, Scopes::any());
    /// # let ids = [MediaId::from_trusted("m-1")?, MediaId::from_trusted("m-2")?];
    /// # let question = OwnershipQuestion::new(&ana, &any, &ids);
    /// # assert_eq!(answer(&question, HashSet::from(["m-2".to_owned()])), ids[1..]);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn select(&self, mut is_owned: impl FnMut(&'a str) -> bool) -> Vec<MediaId> {
        self.ids.iter().filter(|id| is_owned(id.as_str())).cloned().collect()
    }

    /// Returns whether the answer must not come from a cache.
    pub fn bypasses_cache(&self) -> bool {
        self.bypass_cache
    }

    /// Returns the ids as they would be in an answer. Only the backends of this crate may have them.
    #[cfg(any(feature = "store", feature = "remote"))]
    pub(crate) fn candidates(&self) -> &'a [MediaId] {
        self.ids
    }
}

/// The relation of one id to an owner, for the operator only (promise G16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnershipStatus {
    /// The owner owns it in one of the scopes.
    Owned,
    /// The owner owns it, but in none of the scopes.
    WrongScope,
    /// Another owner owns it.
    Foreign,
    /// The id is unknown.
    Absent,
}

/// Answers ownership queries.
///
/// Every [`MediaBackend`](crate::backend::MediaBackend) implements it. Give another implementation to
/// [`MediaState`](crate::MediaState) to use the application's own table or an authorization service
/// instead.
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
///         Ok(question.select(|id| self.0.contains(&(subject.to_owned(), id.to_owned()))))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer ownership queries",
    note = "implement `Ownership` for it: `async fn owned(&self, question: &OwnershipQuestion<'_>) -> \
            tower_media::Result<Vec<MediaId>>`, answered with `question.select(|id| ..)`"
)]
pub trait Ownership: fmt::Debug + Send + Sync + 'static {
    /// Returns those of the ids that the owner owns in one of the scopes.
    ///
    /// # Behavior
    ///
    /// - Ids that are unknown, deleted, of another owner or tenant, or owned in other scopes only are
    ///   left out; none of that is an error.
    /// - The answer contains only ids of the question. An answer with any other id is rejected as a
    ///   whole; [`OwnershipQuestion::select`] cannot make such an answer.
    /// - Order and repeats in the answer have no meaning.
    /// - A failure of the query is an error, never an empty answer.
    fn owned(
        &self,
        question: &OwnershipQuestion<'_>,
    ) -> impl Future<Output = Result<Vec<MediaId>>> + Send;

    /// Returns the status of each id of the question, in its order, for the operator.
    ///
    /// # Behavior
    ///
    /// No part of the answer may reach a client.
    ///
    /// # Default
    ///
    /// [`ErrorKind::Unsupported`].
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

/// [`Ownership`] behind a pointer. Implemented for every `Ownership`; do not implement it by hand.
pub(crate) trait DynOwnership: fmt::Debug + Send + Sync + 'static {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_selection_keep_the_order_of_the_question() {
        let ids = ["b", "a", "c"].map(|id| MediaId::from_trusted(id).expect("an id"));
        let (owner, scopes) = (Owner::new("ana").expect("an owner"), Scopes::any());
        let question = OwnershipQuestion::new(&owner, &scopes, &ids);
        assert_eq!(question.ids().collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!((question.ids().len(), question.ids().next_back()), (3, Some("c")));
        assert_eq!(question.select(|id| id != "a"), [ids[0].clone(), ids[2].clone()]);
        assert_eq!(question.select(|_| false), []);
    }

    #[test]
    fn g12_bypass_cache_is_set_by_the_caller_only() {
        let (owner, scopes) = (Owner::new("ana").expect("an owner"), Scopes::any());
        let question = OwnershipQuestion::new(&owner, &scopes, &[]);
        assert!(!question.bypasses_cache());
        assert!(question.bypass_cache(true).bypasses_cache());
    }
}
