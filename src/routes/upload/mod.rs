//! Uploads of signed-in owners, as multipart forms.

mod admission;
mod body;
mod look;
mod observe;
mod origin;
mod policy;
mod rejection;
mod routes;
mod uploads;

pub(super) use self::body::{Pace, announced, paced};
pub use self::{
    policy::UploadPolicy, rejection::UploadRejection, routes::UploadRoutes, uploads::Uploads,
};
