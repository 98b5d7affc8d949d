#![doc = include_str!("../docs/routes.md")]

mod delivery;
mod media_state;
mod service;
pub(crate) mod signed_url;
mod spooled_file;
mod upload;

#[cfg(feature = "tus")]
pub use self::upload::PartialUploads;
pub use self::{
    delivery::{DeliveryRoutes, ResourcePolicy},
    service::{ServiceKeys, ServiceRoutes},
    signed_url::{LinkOptions, UrlSigner},
    upload::{UploadPolicy, UploadRejection, UploadRoutes, Uploads},
};
