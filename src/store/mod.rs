#![doc = include_str!("../docs/store.md")]

mod backend;
mod blobs;
mod builder;
pub(crate) mod db;
mod folder;
mod gc;
mod ingest;
mod inner;
mod moving;
mod redirect;
mod renditions;
mod settings;
mod spool;
mod variant_worker;

#[cfg(feature = "postgres")]
pub use self::db::Postgres;
pub use self::{
    backend::Store,
    builder::StoreBuilder,
    gc::{GcReport, Verification},
    moving::CopyReport,
    settings::MakeVariants,
};
