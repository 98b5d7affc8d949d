//! Resumable uploads by the tus protocol 1.0, under the policy of the upload route.

mod checksum;
mod names;
mod partial_uploads;
mod protocol;
mod receive;
mod rejection;
mod routes;

pub use self::partial_uploads::PartialUploads;
pub(super) use self::routes::routes;
