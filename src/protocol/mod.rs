//! The JSON of the media service's HTTP protocol.

#[cfg(feature = "remote")]
pub(crate) mod decode;
#[cfg(feature = "routes")]
pub(crate) mod encode;
