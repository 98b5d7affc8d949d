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

pub(super) use self::limited_body::{BodyLimits, content_length, limited_body};
#[cfg(feature = "tus")]
pub use self::tus::PartialUploads;
pub use self::{
    policy::UploadPolicy, rejection::UploadRejection, routes::UploadRoutes, uploads::Uploads,
};
