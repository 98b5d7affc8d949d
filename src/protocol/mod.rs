//! JSON bodies of the media service's HTTP protocol: one set of types for the client
//! ([`remote`](crate::remote)) and for the server ([`routes`](crate::routes)).

mod error_body;
mod list;
mod owned;
mod record;

#[cfg(feature = "remote")]
pub(crate) use self::list::ListRow;
pub(crate) use self::{
    error_body::ErrorBody,
    list::{CursorPage, OffsetPage},
    owned::{OwnedQuery, OwnedResponse},
    record::Record,
};
