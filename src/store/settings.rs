//! Settings of a store, shared by its builder and its running parts.

use std::time::Duration;

/// When the variants of an image are made. See
/// [`StoreBuilder::variants`](super::StoreBuilder::variants).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MakeVariants {
    /// On the first request for one of them, all from one decode. An image is
    /// [`Ready`](crate::media::MediaStatus::Ready) once it is uploaded.
    #[default]
    OnRequest,
    /// In the background after each upload. An image is
    /// [`Processing`](crate::media::MediaStatus::Processing) until its variants are stored. Work that a
    /// stopped process left is resumed when the folder is opened again.
    Ahead,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) max_bytes: u64,
    pub(super) max_uploads: usize,
    pub(super) quota: Option<u64>,
    pub(super) variants: MakeVariants,
    pub(super) max_rendition_bytes: u64,
    pub(super) grace: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) public_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_bytes: 100 << 20,
            max_uploads: 256,
            quota: None,
            variants: MakeVariants::default(),
            max_rendition_bytes: 1 << 30,
            grace: Duration::from_secs(60 * 60),
            idle_timeout: Duration::from_secs(30),
            public_url: String::new(),
        }
    }
}
