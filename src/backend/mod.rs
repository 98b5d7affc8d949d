//! The [`MediaBackend`] trait, its extension methods, its type-erased form, and [`InMemory`].

mod erased;
mod ext;
mod media_backend;
mod memory;
mod ownership_only;

#[cfg(feature = "images")]
pub use crate::image::ImageLimits;
pub use crate::ownership::OwnershipStatus;

pub(crate) use self::{erased::SharedBackend, ownership_only::OwnershipOnly};
pub use self::{
    ext::{DownloadLimits, DownloadedMedia, MediaBackendExt},
    media_backend::MediaBackend,
    memory::InMemory,
};
