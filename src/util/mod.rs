//! Helpers without knowledge of media: byte streams, drained bodies, single-flight.

#[cfg(feature = "store")]
mod blocking;
pub(crate) mod byte_stream;
pub(crate) mod drain_body;
#[cfg(any(feature = "store", feature = "tus"))]
mod private_dir;
#[cfg(feature = "store")]
pub(crate) mod single_flight;

#[cfg(feature = "store")]
pub(crate) use self::blocking::blocking;
#[cfg(any(feature = "store", feature = "tus"))]
pub(crate) use self::private_dir::create_private_dir;
