//! Configuration of a `MediaState`.

use std::{
    any::type_name_of_val,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{inner::Inner, media_state::MediaState};
use crate::{
    backend::{DownloadLimits, MediaBackend, SharedBackend},
    ownership::{DynOwnership, Ownership},
};

/// Configures a [`MediaState`]. Made by [`MediaState::builder`].
///
/// # Default
///
/// | setting | default |
/// |---|---|
/// | [`ownership`](Self::ownership) | the backend |
/// | [`check_timeout`](Self::check_timeout) | 10 s |
/// | [`download_limit`](Self::download_limit) | 64 MiB |
/// | [`total_download_limit`](Self::total_download_limit) | 256 MiB |
#[cfg_attr(feature = "routes", doc = "| [`url_signer`](Self::url_signer) | no signed URLs |")]
#[derive(Debug)]
#[must_use = "`build` makes the state"]
pub struct MediaStateBuilder {
    backend_type: &'static str,
    backend: SharedBackend,
    ownership: Arc<dyn DynOwnership>,
    check_timeout: Duration,
    download_limits: DownloadLimits,
    #[cfg(feature = "routes")]
    url_signer: Option<crate::routes::signed_url::UrlSigner>,
}

impl MediaState {
    /// Creates a state over `backend`, with the defaults of [`MediaStateBuilder`].
    pub fn new(backend: impl MediaBackend) -> Self {
        Self::builder(backend).build()
    }

    /// Configures a state over `backend`.
    pub fn builder(backend: impl MediaBackend) -> MediaStateBuilder {
        let backend_type = type_name_of_val(&backend);
        let backend = SharedBackend::new(backend);
        MediaStateBuilder {
            backend_type,
            ownership: backend.to_ownership(),
            backend,
            check_timeout: Duration::from_secs(10),
            download_limits: DownloadLimits::default(),
            #[cfg(feature = "routes")]
            url_signer: None,
        }
    }
}

impl MediaStateBuilder {
    /// Sends ownership queries to `ownership` instead of the backend: to a table of the application, or
    /// to an authorization service.
    ///
    /// An application that stores no media here uses
    /// [`MediaState::with_ownership_only`] instead.
    pub fn ownership(mut self, ownership: impl Ownership) -> Self {
        self.ownership = Arc::new(ownership);
        self
    }

    /// Sets the deadline of an ownership check and of a health check. A check that misses it is
    /// answered 504. Default: 10 s.
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        self.check_timeout = timeout;
        self
    }

    /// Sets the greatest size, in bytes, of one item that [`MediaState::download_all`] reads into
    /// memory. Default: 64 MiB.
    pub fn download_limit(mut self, bytes: usize) -> Self {
        self.download_limits = self.download_limits.with_each(bytes);
        self
    }

    /// Sets the greatest size, in bytes, of all items together that one call of
    /// [`MediaState::download_all`] reads into memory. Default: 256 MiB.
    ///
    /// It bounds the memory of one request, so the number of ids that its guard accepts need not
    /// (promise P17).
    ///
    /// # Example
    ///
    /// ```
    /// use tower_media::{ErrorKind, InMemory, MediaState, Owner, Rendition, Upload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> tower_media::Result<()> {
    /// let media = MediaState::builder(InMemory::new()).total_download_limit(10).build();
    /// let ana = Owner::new("ana")?;
    /// let first = media.upload(&ana, Upload::new("6 byte")).await?.id;
    /// let second = media.upload(&ana, Upload::new("6 more")).await?.id;
    ///
    /// assert!(media.download_all([&first], Rendition::Original).await.is_ok());
    /// let both = media.download_all([&first, &second], Rendition::Original).await;
    /// assert_eq!(both.unwrap_err().kind(), ErrorKind::TooLarge);
    /// # Ok(()) }
    /// ```
    pub fn total_download_limit(mut self, bytes: usize) -> Self {
        self.download_limits = self.download_limits.with_total(bytes);
        self
    }

    /// Sets the keys that sign URLs. A signed URL opens media without authentication until it expires.
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
            backend_type: self.backend_type,
            backend: self.backend,
            ownership: self.ownership,
            check_timeout: self.check_timeout,
            download_limits: self.download_limits,
            #[cfg(feature = "routes")]
            url_signer: self.url_signer,
            #[cfg(feature = "testkit")]
            guards: Default::default(),
        }))
    }
}
