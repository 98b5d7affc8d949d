//! Signed URLs: each opens one rendition of one media item until it expires (promise P14).

mod claims;
mod signer;

pub(crate) use self::{claims::Claims, signer::SignatureError};
pub use self::{claims::LinkOptions, signer::UrlSigner};
