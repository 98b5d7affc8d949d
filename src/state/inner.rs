//! The data that all clones of a `MediaState` share.

use std::{sync::Arc, time::Duration};

use crate::{
    backend::{DownloadLimits, SharedBackend},
    error::{Error, ErrorKind, Result},
    id::UnverifiedId,
    ownership::{DynOwnership, IdCollector, IdSet},
};

/// The greatest number of distinct ids in one ownership query of `MediaState::verify`.
const MAX_VERIFIED_IDS: usize = 10_000;

pub(super) struct Inner {
    // Distinguishes two states in error texts.
    pub(super) number: usize,
    pub(super) backend_type: &'static str,
    pub(super) backend: SharedBackend,
    pub(super) ownership: Arc<dyn DynOwnership>,
    pub(super) check_timeout: Duration,
    pub(super) download_limits: DownloadLimits,
    #[cfg(feature = "routes")]
    pub(super) url_signer: Option<crate::routes::signed_url::UrlSigner>,
    #[cfg(feature = "testkit")]
    pub(super) guards: crate::testkit::guard_registry::Registry,
}

/// Collects the distinct ids of an ownership query.
pub(super) fn distinct(ids: impl IntoIterator<Item = UnverifiedId>) -> Result<IdSet> {
    let mut collector = IdCollector::new(MAX_VERIFIED_IDS);
    ids.into_iter().for_each(|id| collector.add(&id));
    if collector.is_overflowed() {
        let what = format!("more than {MAX_VERIFIED_IDS} media ids in one check: split them");
        return Err(Error::new(ErrorKind::InvalidInput, what));
    }
    Ok(collector.into_set())
}
