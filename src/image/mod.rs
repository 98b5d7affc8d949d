//! Untrusted images: identification, header reading, decoding, resizing and encoding.
//!
//! [`ImageProcessor`] is the only entry point to every decoder (promise P1); `clippy.toml` forbids all
//! others. It checks the header first, admits the work by a pixel budget, runs it off the async threads,
//! and ends it at a deadline (P2). It turns a panic of a decoder into an error (P3). Without the feature
//! `images` it identifies files by their magic bytes and makes no renditions.

#[cfg(feature = "images")]
mod admission;
#[cfg(feature = "images")]
mod color;
#[cfg(feature = "images")]
mod deadline;
#[cfg(feature = "images")]
mod decode;
#[cfg(not(feature = "images"))]
mod disabled;
#[cfg(feature = "images")]
mod encode;
#[cfg(feature = "images")]
mod exif;
#[cfg(feature = "images")]
mod fair_queue;
#[cfg(feature = "images")]
mod format;
#[cfg(feature = "images")]
mod gif;
#[cfg(feature = "images")]
mod header;
#[cfg(any(feature = "heic", feature = "avif"))]
mod heif;
mod identity;
#[cfg(feature = "images")]
mod input;
#[cfg(feature = "images")]
mod jpeg;
#[cfg(feature = "images")]
mod limits;
#[cfg(feature = "images")]
mod partial;
#[cfg(feature = "images")]
mod png;
#[cfg(feature = "images")]
mod processor;
#[cfg(feature = "images")]
mod resize;
mod source;
#[cfg(feature = "tiff")]
mod tiff;
#[cfg(feature = "images")]
mod webp;

#[cfg(not(feature = "images"))]
pub(crate) use self::disabled::ImageProcessor;
pub(crate) use self::identity::Identity;
#[cfg(feature = "images")]
pub use self::limits::ImageLimits;
#[cfg(feature = "images")]
pub(crate) use self::processor::ImageProcessor;
pub(crate) use self::source::{ImageSource, Rendered};
