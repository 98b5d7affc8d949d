//! The two ways to read media ids from an extracted value.

use std::{fmt, sync::Arc};

use crate::{
    extract::MediaIds,
    id::{InvalidMediaId, UnverifiedId},
    ownership::IdCollector,
};

/// Reads the ids of an extracted value. `E` is erased: both variants are `Send` and `Sync` for any `E`.
pub(super) enum IdSource<E> {
    /// [`MediaIds`] of the extracted type.
    Trait(fn(&E, &mut IdCollector)),
    /// The closure given to `VerifyMediaLayer::with_ids`.
    Closure(Arc<Read<E>>),
}

type Read<E> = dyn Fn(&E) -> Result<Vec<UnverifiedId>, InvalidMediaId> + Send + Sync;

impl<E> IdSource<E> {
    pub(super) fn of_trait() -> Self
    where
        E: MediaIds,
    {
        Self::Trait(E::media_ids)
    }

    pub(super) fn of_closure<F>(read: F) -> Self
    where
        F: Fn(&E) -> Result<Vec<UnverifiedId>, InvalidMediaId> + Send + Sync + 'static,
    {
        Self::Closure(Arc::new(read))
    }

    pub(super) fn collect(
        &self,
        extracted: &E,
        ids: &mut IdCollector,
    ) -> Result<(), InvalidMediaId> {
        match self {
            Self::Trait(read) => read(extracted, ids),
            Self::Closure(read) => read(extracted)?.iter().for_each(|id| ids.add(id)),
        }
        Ok(())
    }
}

impl<E> Clone for IdSource<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Trait(read) => Self::Trait(*read),
            Self::Closure(read) => Self::Closure(Arc::clone(read)),
        }
    }
}

impl<E> fmt::Debug for IdSource<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trait(_) => "MediaIds",
            Self::Closure(_) => "closure",
        })
    }
}
