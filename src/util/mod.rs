//! Helpers that know nothing of media: byte streams and single-flight.

#[cfg(feature = "embedded")]
mod blocking;
pub(crate) mod byte_stream;
#[cfg(feature = "embedded")]
pub(crate) mod single_flight;

#[cfg(feature = "embedded")]
pub(crate) use self::blocking::blocking;
