//! Byte quota of each owner, including uploads in progress.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    error::{Error, ErrorKind, Result},
    owner::Owner,
};

/// The quota, and the bytes that each owner's running uploads have reserved.
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

    /// Begins an upload of an owner whose stored media take `used` bytes.
    pub(super) fn begin(&self, owner: &Owner, used: u64) -> Reservation {
        Reservation { quota: self.clone(), owner: owner.clone(), used, bytes: 0 }
    }
}

/// The bytes that one upload has reserved. Released when dropped; by then the database counts them.
#[derive(Debug)]
pub(super) struct Reservation {
    quota: Quota,
    owner: Owner,
    used: u64,
    bytes: u64,
}

impl Reservation {
    /// Reserves more bytes, unless they exceed the quota.
    pub(super) fn take(&mut self, bytes: u64) -> Result<()> {
        let Some(limit) = self.quota.limit else { return Ok(()) };
        let mut reserved = self.quota.reserved.lock();
        let total = reserved.entry(self.owner.clone()).or_default();
        *total += bytes;
        self.bytes += bytes;
        if self.used.saturating_add(*total) <= limit {
            return Ok(());
        }
        let message = format!("the upload would exceed the owner's quota of {limit} bytes");
        Err(Error::new(ErrorKind::TooLarge, message))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut reserved = self.quota.reserved.lock();
        if let Some(total) = reserved.get_mut(&self.owner) {
            *total -= self.bytes;
            if *total == 0 {
                reserved.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_uploads_share_the_quota_and_release_it() {
        let quota = Quota::new(Some(100));
        let ana = Owner::new("ana").expect("a name");
        let bob = Owner::new("bob").expect("a name");
        let mut first = quota.begin(&ana, 30);
        let mut second = quota.begin(&ana, 30);
        first.take(40).expect("70 of 100");
        second.take(30).expect("100 of 100");
        assert_eq!(second.take(1).expect_err("101 of 100").kind(), ErrorKind::TooLarge);
        quota.begin(&bob, 0).take(100).expect("another owner has a quota of their own");
        drop(second);
        first.take(30).expect("the other upload has released its bytes");
        drop(first);
        assert!(quota.reserved.lock().is_empty());
    }
}
