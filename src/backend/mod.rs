//! The [`MediaBackend`] trait, its extension methods, its type-erased form, and [`InMemory`].

mod erased;
mod ext;
mod media_backend;
mod memory;
mod memory_images;
mod ownership_only;

pub(crate) use self::ownership_only::OwnershipOnly;
pub use self::{
    erased::{DynMediaBackend, SharedBackend},
    ext::{DownloadedMedia, MediaBackendExt},
    media_backend::MediaBackend,
    memory::InMemory,
};
