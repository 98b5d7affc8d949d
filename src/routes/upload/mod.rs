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

pub use self::{
    policy::UploadPolicy, rejection::UploadRejection, routes::UploadRoutes, uploads::Uploads,
};
