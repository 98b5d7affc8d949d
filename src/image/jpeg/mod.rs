//! JPEG: header reading, and decoding at 1/8, 1/4, 1/2 or full size.
//!
//! Decoding uses libjpeg, because browsers show of a damaged file what libjpeg makes of it (promise P18).

mod decode;
mod header;
mod segments;
mod source;

pub(super) use self::decode::{DecodedJpeg, PixelFormat, decode, read_header};

// The libjpeg wrapper reports a fatal error of libjpeg by unwinding.
#[cfg(panic = "abort")]
compile_error!(
    "the feature `images` of tower-media needs unwinding, because a broken JPEG would abort the whole \
     process: remove `panic = \"abort\"` from the Cargo profile, or build without the feature `images`"
);
