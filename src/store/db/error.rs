//! Failures that every engine reports alike.

use crate::error::{Error, ErrorKind};

pub(super) fn damaged(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Integrity, "the database is damaged; restore it from a backup")
        .with_source(source)
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the database is closed")
}

/// Too many queries wait for a connection.
pub(super) fn busy() -> Error {
    Error::new(ErrorKind::Unavailable, "too many database queries are waiting; retry later")
}

/// The upload does not fit into the owner's quota.
pub(crate) fn over_quota(quota: u64) -> Error {
    let message = format!("the upload would exceed the owner's quota of {quota} bytes");
    Error::new(ErrorKind::TooLarge, message)
}

/// The page token was not made by this list.
pub(super) fn unknown_page_token() -> Error {
    Error::new(ErrorKind::InvalidInput, "unknown page token")
}
