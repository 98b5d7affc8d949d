//! The [`MediaBackend`] trait, its extension methods, its type-erased form, and [`InMemory`].

mod erased;
mod ext;
mod media_backend;
mod memory;
mod memory_images;
mod unstored;

pub(crate) use self::unstored::Unstored;
pub use self::{
    erased::{DynMediaBackend, SharedBackend},
    ext::{MediaBackendExt, Picture},
    media_backend::MediaBackend,
    memory::InMemory,
};
