//! Uploads of authenticated owners, as multipart forms.

mod concurrency;
mod limited_body;
mod observe;
mod origin;
mod policy;
mod rejection;
mod routes;
mod sniff;
mod state;
#[cfg(feature = "tus")]
mod tus;
mod uploads;

#[cfg(feature = "tus")]
pub use self::tus::PartialUploads;
pub(super) use self::{
    limited_body::{BodyLimits, content_length, limited_body},
    origin::check as check_origin,
};
pub use self::{
    policy::UploadPolicy, rejection::UploadRejection, routes::UploadRoutes, uploads::Uploads,
};
