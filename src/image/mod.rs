//! Untrusted images: sniffing, header reading, decoding, resizing and encoding.
//!
//! [`ImageProcessor`] is the only entry point to every decoder (promise P1); `clippy.toml` forbids all others.
//! It checks the header first, admits the work by a pixel budget, runs it off the async threads, and
//! ends it at a deadline (P2). It turns a panic of a decoder into an error (P3).

mod admission;
mod color;
mod decode;
mod encode;
mod exif;
mod header;
#[cfg(any(feature = "heic", feature = "avif"))]
mod heif;
mod input;
mod jpeg;
mod limits;
mod processor;
mod resize;
mod sniff;

pub use self::limits::ImageLimits;
pub(crate) use self::processor::{ImageProcessor, ImageSource, Probe, Rendered};
