//! Parses the names of variants, fits and formats in URLs.

use std::str::FromStr;

use super::{Fit, Format, Variant};

/// The error for an unknown name. Its text lists the known names: "is not one of thumb, medium, large".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not one of {}", .known.join(", "))]
pub struct ParseNameError {
    known: Vec<&'static str>,
}

fn named<T: Copy>(name: &str, all: &[T], text: fn(T) -> &'static str) -> Result<T, ParseNameError> {
    let named = |item: &T| text(*item) == name;
    let unknown = || ParseNameError { known: all.iter().copied().map(text).collect() };
    all.iter().copied().find(named).ok_or_else(unknown)
}

/// Parses the output of [`Variant::as_str`].
///
/// ```
/// use tower_media::media::Variant;
///
/// assert_eq!("thumb".parse(), Ok(Variant::Thumbnail));
/// let unknown = "huge".parse::<Variant>().unwrap_err();
/// assert_eq!(unknown.to_string(), "is not one of thumb, medium, large");
/// ```
impl FromStr for Variant {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        named(name, &Self::ALL, Self::as_str)
    }
}

/// Parses the output of [`Fit::as_str`].
impl FromStr for Fit {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        named(name, &Self::ALL, Self::as_str)
    }
}

/// Parses the output of [`Format::as_str`].
impl FromStr for Format {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        named(name, &Self::ALL, Self::as_str)
    }
}
