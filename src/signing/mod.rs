//! URLs that open one rendition of one piece of media for a while, to whoever holds them.

mod grant;
mod signer;

pub(crate) use self::{grant::Grant, signer::NotSigned};
pub use self::{grant::LinkOptions, signer::UrlSigner};
