//! Signed URLs: each opens one rendition of one media item until it expires (promise P14).

mod claims;
mod signer;

pub(crate) use self::{claims::Grant, signer::NotSigned};
pub use self::{claims::LinkOptions, signer::UrlSigner};
