//! Helpers that know nothing of media: byte streams and single-flight.

#[cfg(feature = "store")]
mod blocking;
pub(crate) mod byte_stream;
#[cfg(feature = "store")]
pub(crate) mod single_flight;

#[cfg(feature = "store")]
pub(crate) use self::blocking::blocking;
