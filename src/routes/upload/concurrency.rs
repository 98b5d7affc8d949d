//! How many uploads are taken at once (promise R7).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::UploadRejection;
use crate::owner::Owner;

/// Counts the uploads that are under way. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Admission(Arc<Mutex<UnderWay>>);

#[derive(Debug, Default)]
struct UnderWay {
    all: usize,
    by_owner: HashMap<Owner, usize>,
}

/// The place of one upload, which is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Admission,
    owner: Owner,
}

impl Admission {
    /// Takes a place if there are fewer than `most` in all and `each` of the owner.
    pub(super) fn admit(
        &self,
        owner: &Owner,
        most: usize,
        each: usize,
    ) -> Result<Place, UploadRejection> {
        let mut under_way = self.under_way();
        if under_way.by_owner.get(owner).is_some_and(|count| *count >= each) {
            return Err(UploadRejection::OwnerTooBusy);
        }
        if under_way.all >= most {
            return Err(UploadRejection::TooBusy);
        }
        under_way.all += 1;
        *under_way.by_owner.entry(owner.clone()).or_default() += 1;
        Ok(Place { admission: self.clone(), owner: owner.clone() })
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.admission.under_way();
        under_way.all -= 1;
        if let Some(count) = under_way.by_owner.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                under_way.by_owner.remove(&self.owner);
            }
        }
    }
}
