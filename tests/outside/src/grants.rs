//! The application's own table of rights.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use tower_media::{MediaId, Owner, Ownership, OwnershipQuestion, Result};

/// A table of rights. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Grants(Arc<Mutex<HashSet<(Owner, String)>>>);

impl Grants {
    pub fn grant(&self, owner: &Owner, id: &MediaId) {
        self.0.lock().expect("not poisoned").insert((owner.clone(), id.to_string()));
    }
}

impl Ownership for Grants {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let granted = self.0.lock().expect("not poisoned");
        Ok(question.select(|id| granted.contains(&(question.owner().clone(), id.to_owned()))))
    }
}
