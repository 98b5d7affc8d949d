//! Names as they are written in URLs.

use std::str::FromStr;

use super::{Fit, Format, Variant};

/// A name that is not in the list. Its text begins with "is not one of" and goes on with the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not one of {}", .known.join(", "))]
pub struct ParseVariantError {
    known: Vec<&'static str>,
}

fn named<T: Copy>(
    name: &str,
    all: &[T],
    text: fn(T) -> &'static str,
) -> Result<T, ParseVariantError> {
    let named = |item: &T| text(*item) == name;
    let unknown = || ParseVariantError { known: all.iter().copied().map(text).collect() };
    all.iter().copied().find(named).ok_or_else(unknown)
}

/// Reads what [`Variant::as_str`] writes.
///
/// ```
/// use tower_media::media::Variant;
///
/// assert_eq!("thumb".parse(), Ok(Variant::Thumbnail));
/// let unknown = "huge".parse::<Variant>().unwrap_err();
/// assert_eq!(unknown.to_string(), "is not one of thumb, medium, large");
/// ```
impl FromStr for Variant {
    type Err = ParseVariantError;

    fn from_str(name: &str) -> Result<Self, ParseVariantError> {
        named(name, &Self::ALL, Self::as_str)
    }
}

/// Reads what [`Fit::as_str`] writes.
impl FromStr for Fit {
    type Err = ParseVariantError;

    fn from_str(name: &str) -> Result<Self, ParseVariantError> {
        named(name, &Self::ALL, Self::as_str)
    }
}

/// Reads what [`Format::as_str`] writes.
impl FromStr for Format {
    type Err = ParseVariantError;

    fn from_str(name: &str) -> Result<Self, ParseVariantError> {
        named(name, &Self::ALL, Self::as_str)
    }
}
