//! Configuration of a `MediaState`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{MediaState, media_state::Inner};
use crate::{
    backend::SharedBackend,
    ownership::{DynOwnership, Ownership},
};

/// Configures a [`MediaState`].
///
/// # Default
///
/// The backend answers for ownership; a check may take 10 seconds; a download into memory may be
/// 64 MiB.
#[derive(Debug)]
#[must_use = "the state is made by `build`"]
pub struct MediaStateBuilder {
    pub(super) type_name: &'static str,
    pub(super) backend: SharedBackend,
    pub(super) ownership: Arc<dyn DynOwnership>,
    pub(super) check_timeout: Duration,
    pub(super) download_limit: usize,
    #[cfg(feature = "routes")]
    pub(super) url_signer: Option<crate::routes::signed_url::UrlSigner>,
}

impl MediaStateBuilder {
    /// Asks `ownership` instead of the backend who owns media: the application's own table, or an
    /// authorization service.
    ///
    /// An application that keeps its media itself, and wants the check alone, gives
    /// [`InMemory`](crate::InMemory) as the backend and leaves it empty.
    pub fn ownership(mut self, ownership: impl Ownership) -> Self {
        self.ownership = Arc::new(ownership);
        self
    }

    /// Sets how long a check may take before it is answered 504.
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        self.check_timeout = timeout;
        self
    }

    /// Sets how many bytes [`MediaState::download_all`] reads of one piece of media.
    pub fn download_limit(mut self, bytes: usize) -> Self {
        self.download_limit = bytes;
        self
    }

    /// Sets the keys for URLs that open media to whoever holds them. Without, there are none.
    #[cfg(feature = "routes")]
    pub fn url_signer(mut self, signer: crate::routes::signed_url::UrlSigner) -> Self {
        self.url_signer = Some(signer);
        self
    }

    /// Makes the state.
    pub fn build(self) -> MediaState {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        MediaState(Arc::new(Inner {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            type_name: self.type_name,
            backend: self.backend,
            ownership: self.ownership,
            check_timeout: self.check_timeout,
            download_limit: self.download_limit,
            #[cfg(feature = "routes")]
            url_signer: self.url_signer,
            #[cfg(feature = "testkit")]
            guards: Default::default(),
        }))
    }
}
