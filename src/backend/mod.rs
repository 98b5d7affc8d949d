//! The [`MediaBackend`] trait, its extension methods, its type-erased form, and [`InMemory`].

mod erased;
mod ext;
mod media_backend;
mod memory;
mod ownership_only;

#[cfg(feature = "images")]
pub use crate::image::ImageLimits;

pub(crate) use self::ownership_only::OwnershipOnly;
pub use crate::ownership::OwnershipStatus;

pub(crate) use self::erased::SharedBackend;
pub use self::{
    ext::{DownloadedMedia, MediaBackendExt},
    media_backend::MediaBackend,
    memory::InMemory,
};
