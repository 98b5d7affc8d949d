//! The state that the handlers of an upload route share.

#[cfg(feature = "tus")]
use super::PartialUploads;
use super::UploadPolicy;
use crate::{extract::OwnerSource, state::MediaState};

pub(super) struct UploadState<S> {
    pub(super) media: MediaState,
    pub(super) policy: UploadPolicy,
    pub(super) quota: Option<u64>,
    pub(super) all_or_none: bool,
    pub(super) owner: OwnerSource<S>,
    pub(super) state: S,
    #[cfg(feature = "tus")]
    pub(super) partial_uploads: Option<PartialUploads>,
}
