//! How many bytes an owner may have, counting what is on its way in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    error::{Error, ErrorKind, Result},
    owner::Owner,
};

/// The bytes that uploads under way have taken of the quota, for each owner.
#[derive(Debug, Clone, Default)]
pub(super) struct Quota {
    limit: Option<u64>,
    reserved: Arc<Mutex<HashMap<Owner, u64>>>,
}

impl Quota {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { limit, reserved: Arc::default() }
    }

    pub(super) fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Begins an upload of an owner who has `used` bytes.
    pub(super) fn begin(&self, owner: &Owner, used: u64) -> Reservation {
        Reservation { quota: self.clone(), owner: owner.clone(), used, bytes: 0 }
    }

    fn reserved(&self) -> MutexGuard<'_, HashMap<Owner, u64>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one upload has taken of the quota. It is given back when this is dropped; by then the rows
/// tell what the owner has.
#[derive(Debug)]
pub(super) struct Reservation {
    quota: Quota,
    owner: Owner,
    used: u64,
    bytes: u64,
}

impl Reservation {
    /// Takes some more bytes, or refuses.
    pub(super) fn take(&mut self, bytes: u64) -> Result<()> {
        let Some(limit) = self.quota.limit else { return Ok(()) };
        let mut reserved = self.quota.reserved();
        let all = reserved.entry(self.owner.clone()).or_default();
        *all += bytes;
        self.bytes += bytes;
        if self.used.saturating_add(*all) > limit { Err(exceeded(limit)) } else { Ok(()) }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut reserved = self.quota.reserved();
        if let Some(all) = reserved.get_mut(&self.owner) {
            *all -= self.bytes;
            if *all == 0 {
                reserved.remove(&self.owner);
            }
        }
    }
}

fn exceeded(limit: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the upload exceeds the owner's quota of {limit} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_under_way_share_the_quota_and_give_back_what_they_took() {
        let quota = Quota::new(Some(100));
        let ana = Owner::new("ana").expect("a name");
        let bob = Owner::new("bob").expect("a name");
        let mut first = quota.begin(&ana, 30);
        let mut second = quota.begin(&ana, 30);
        first.take(40).expect("70 of 100");
        second.take(30).expect("100 of 100");
        assert_eq!(second.take(1).expect_err("101 of 100").kind(), ErrorKind::TooLarge);
        quota.begin(&bob, 0).take(100).expect("another owner has a quota of his own");
        drop(second);
        first.take(30).expect("what the other took is free again");
        drop(first);
        assert!(quota.reserved().is_empty());
    }
}
