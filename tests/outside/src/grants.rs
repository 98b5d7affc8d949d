//! Who may use whose media, in a table of the application's own.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use tower_media::{MediaId, Owner, Ownership, OwnershipQuestion, Result};

/// A table of rights. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Grants(Arc<Mutex<HashSet<(Owner, MediaId)>>>);

impl Grants {
    pub fn grant(&self, owner: &Owner, id: &MediaId) {
        self.0.lock().expect("no panic holds it").insert((owner.clone(), id.clone()));
    }
}

impl Ownership for Grants {
    async fn owned(&self, question: &OwnershipQuestion<'_>) -> Result<Vec<MediaId>> {
        let granted = self.0.lock().expect("no panic holds it");
        let is_granted =
            |id: &&MediaId| granted.contains(&(question.owner().clone(), (*id).clone()));
        Ok(question.ids().iter().filter(is_granted).cloned().collect())
    }
}
